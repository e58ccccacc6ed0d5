package host

// A BatchState says how far a batch has come.
type BatchState string

// The states of a batch. One that nothing has been settled of has no record.
const (
	BatchTotals BatchState = "totals" // a 0500 was answered; details may come
	BatchClosed BatchState = "closed" // the end message was answered
)

// A Group is what one side counts of one card group. Amounts are minor units.
// Debits are sales and offline sales, credits voids and refunds; a voided sale
// and its void both count, what was reversed does not.
type Group struct {
	DebitAmount, CreditAmount int64
	DebitCount, CreditCount   int
}

// Totals are the two card groups of a batch.
type Totals struct{ Inland, Foreign Group }

// The results of a settlement, for one card group.
const (
	Balanced   = 1
	Unbalanced = 2
	InError    = 3
)

// A Batch is one batch of one terminal. Inland and Foreign are the results last
// answered; End, once the batch is closed, is the DE 39 of the end message.
type Batch struct {
	Terminal  string
	Number    uint32
	State     BatchState
	Claimed   Totals // what the terminal said
	Own       Totals // what the books said at the last answer
	Inland    int
	Foreign   int
	End       string
	EndType   int // 60.3 of the end message, 202 or 207
	Uploaded  int // bookings taken from details
	Conflicts int // details that differ from a booking, each time they came
}

func (b Batch) key() []byte { return Identity{Terminal: b.Terminal, Batch: b.Number}.key()[:14] }

func (b books) batch(terminal string, number uint32) (*Batch, error) {
	return load[Batch](b.tx, bucketBatches, Batch{Terminal: terminal, Number: number}.key())
}

func (b books) saveBatch(r *Batch) error { return save(b.tx, bucketBatches, r.key(), r) }

// totals counts the batch as it stands in the books.
func (b books) totals(terminal string, batch uint32) (t Totals, err error) {
	bookings, err := b.inBatch(terminal, batch)
	for _, k := range bookings {
		if k.State == Reversed {
			continue
		}
		g := &t.Inland
		if k.Foreign {
			g = &t.Foreign
		}
		if k.Kind.credit() {
			g.CreditAmount += k.Amount
			g.CreditCount++
		} else {
			g.DebitAmount += k.Amount
			g.DebitCount++
		}
	}
	return t, err
}

func result(claimed, own Group) int {
	if claimed == own {
		return Balanced
	}
	return Unbalanced
}

// settle compares the terminal's totals of a batch with the books. Asked again
// it compares again; a closed batch repeats its result to who claims the same as
// at its close, and is out of balance with every other claim. A batch that is
// neither current nor closed gets 77 and InError.
func (b books) settle(t *terminalRecord, number uint32, claimed Totals) (Batch, string, error) {
	r, err := b.batch(t.ID, number)
	if err != nil {
		return Batch{}, "", err
	}
	if r != nil && r.State == BatchClosed {
		said := *r
		if claimed.Inland != r.Claimed.Inland {
			said.Inland = Unbalanced
		}
		if claimed.Foreign != r.Claimed.Foreign {
			said.Foreign = Unbalanced
		}
		return said, "", nil
	}
	if number != t.Batch {
		return Batch{Inland: InError, Foreign: InError}, "77", nil
	}
	if r == nil {
		r = &Batch{Terminal: t.ID, Number: number, State: BatchTotals}
	}
	if r.Own, err = b.totals(t.ID, number); err != nil {
		return Batch{}, "", err
	}
	r.Claimed = claimed
	r.Inland = result(claimed.Inland, r.Own.Inland)
	r.Foreign = result(claimed.Foreign, r.Own.Foreign)
	return *r, "", b.saveBatch(r)
}

// detail is one item of a batch upload.
type detail struct {
	Booking // what to book when it is missing
	content []byte
}

// upload compares details with the books and books what is missing: 00 when
// something was booked, 94 when all was there and equal, 64 when something
// differs (the rest is booked all the same).
func (b books) upload(t *terminalRecord, number uint32, details []detail) (string, error) {
	batch, err := b.batch(t.ID, number)
	if err != nil {
		return "", err
	}
	if batch == nil {
		if number != t.Batch {
			return "77", nil
		}
		return "12", nil
	}
	before := *batch
	for _, d := range details {
		if err := b.compare(batch, d); err != nil {
			return "", err
		}
	}
	switch err := b.saveBatch(batch); {
	case err != nil:
		return "", err
	case batch.Conflicts > before.Conflicts:
		return "64", nil
	case batch.Uploaded > before.Uploaded:
		return "00", nil
	}
	return "94", nil
}

// compare takes one detail. Into a closed batch nothing is booked any more: a
// detail that is missing there is a conflict.
func (b books) compare(batch *Batch, d detail) error {
	known, err := b.booking(d.Identity)
	if err != nil {
		return err
	}
	tomb, err := b.tombstone(d.Identity)
	if err != nil {
		return err
	}
	if known == nil && tomb == nil && batch.State != BatchClosed {
		batch.Uploaded++
		return b.addDetail(d)
	}
	equal := known != nil && known.State != Reversed && known.Amount == d.Amount &&
		known.Foreign == d.Foreign && sameCard(known.PAN, d.PAN) && (d.Kind == "" || d.Kind == known.Kind)
	if known != nil {
		known.Arrivals++
	}
	if !equal {
		batch.Conflicts++
		if known != nil {
			known.Conflicts++
		}
		c := Conflict{Identity: d.Identity, MTI: d.MTI, Kind: d.Kind, Amount: d.Amount, FromUpload: true}
		if err := b.conflict(c, d.content); err != nil {
			return err
		}
	}
	if known == nil {
		return nil
	}
	return b.saveBooking(known)
}

// addDetail books a detail. One of a group does not say its kind: it is a sale.
func (b books) addDetail(d detail) error {
	rrn, auth, err := b.numbers()
	if err != nil {
		return err
	}
	d.State, d.Arrivals, d.FromUpload = Booked, 1, true
	if d.Kind == "" {
		d.Kind = Sale
	}
	if d.RRN == "" {
		d.RRN = rrn
	}
	if d.AuthCode == "" {
		d.AuthCode = auth
	}
	if err := b.follow(d.Booking); err != nil {
		return err
	}
	return b.add(&bookingRecord{Booking: d.Booking, Content: d.content})
}

// follow marks the original of an uploaded void or refund, if it is here.
func (b books) follow(d Booking) error {
	if !d.Kind.credit() {
		return nil
	}
	original, err := b.booking(d.Original)
	if err != nil || original == nil || original.State != Booked {
		return err
	}
	if d.Kind == Void {
		original.State = Voided
	} else {
		original.Refunded = min(original.Amount, original.Refunded+d.Amount)
	}
	return b.saveBooking(original)
}

// end closes the batch and moves the terminal to the next number: 00 when the
// books agree with what the terminal claimed, 95 when they do not. A closed batch
// repeats its answer; without a settlement before it, it is refused.
func (b books) end(t *terminalRecord, number uint32, endType int) (string, error) {
	r, err := b.batch(t.ID, number)
	switch {
	case err != nil:
		return "", err
	case r == nil && number != t.Batch:
		return "77", nil
	case r == nil:
		return "12", nil
	case r.State == BatchClosed:
		return r.End, nil
	}
	if r.Own, err = b.totals(t.ID, number); err != nil {
		return "", err
	}
	r.State, r.End, r.EndType = BatchClosed, "00", endType
	r.Inland = result(r.Claimed.Inland, r.Own.Inland)
	r.Foreign = result(r.Claimed.Foreign, r.Own.Foreign)
	if r.Inland != Balanced || r.Foreign != Balanced || r.Conflicts > 0 {
		r.End = "95"
	}
	t.Batch = t.Batch%999_999 + 1
	if err := b.saveTerminal(t); err != nil {
		return "", err
	}
	return r.End, b.saveBatch(r)
}
