package report

// Finding is what is to be said of a line: what happened, from what cause, and
// what to do next.
type Finding uint8

// The findings.
const (
	// Waiting was taken and not sent yet.
	Waiting Finding = iota + 1
	// Unanswered is an advice in doubt: sent, and repeated until it is answered.
	Unanswered
	// Undecided is a request in doubt: it is being reversed, and was not taken.
	Undecided
	// Unsent was begun, and nothing of it left the device: it was not taken.
	Unsent
	// Parked needs a person's decision.
	Parked
	// Loss is a sale taken at the merchant's risk that the host declined.
	Loss
	// MissingThere was accepted and is not at the host.
	MissingThere
	// MissingHere is at the host and not in the journal.
	MissingHere
	// AmountDiffers is here and there with another amount.
	AmountDiffers
	// ContentDiffers is here and there with other content.
	ContentDiffers
	// StandsThere is at the host and was not taken here.
	StandsThere
	// UndoneThere was accepted here, and the host has declined or reversed it.
	UndoneThere
	// Doubled is at the host once too often.
	Doubled
	// Mended was missing at the host, which has taken it from the upload.
	Mended
	// HostHasMore is a batch in which the host has something unknown here.
	HostHasMore
	// HostLeft is a batch that the host left by itself, out of balance.
	HostLeft
	// BatchWaits is a closed batch that is not settled.
	BatchWaits
	// CashDiffers is a hand-over of cash with another sum than was collected.
	CashDiffers
	// CollectedTwice is a parcel that was paid for twice.
	CollectedTwice
	// Remark is something of which Detail says all.
	Remark
	findings
)

// Acts reports whether a person has to act. The others go on by themselves or
// are done.
func (f Finding) Acts() bool {
	switch f {
	case Waiting, Unanswered, Undecided, Mended, BatchWaits:
		return false
	}
	return true
}

var findingCodes = [findings]string{
	Waiting: "waiting", Unanswered: "unanswered", Undecided: "undecided", Unsent: "unsent", Parked: "parked", Loss: "loss",
	MissingThere: "missing_there", MissingHere: "missing_here", AmountDiffers: "amount_differs",
	ContentDiffers: "content_differs", StandsThere: "stands_there", UndoneThere: "undone_there", Doubled: "doubled", Mended: "mended",
	HostHasMore: "host_has_more", HostLeft: "host_left", BatchWaits: "batch_waits", CashDiffers: "cash_differs",
	CollectedTwice: "collected_twice", Remark: "remark",
}

// String returns the code that CSV and JSON carry, "missing_there"; "matched"
// for 0.
func (f Finding) String() string {
	switch {
	case f == 0:
		return "matched"
	case f >= findings:
		return "unknown"
	}
	return findingCodes[f]
}
