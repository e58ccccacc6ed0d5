package queue

// duty is what an entry is for, where that decides what an answer means.
type duty uint8

const (
	dutyRequest  duty = iota // sale, void: asks
	dutyAtRisk               // asks later for a sale that was made already
	dutyAdvice               // offline sale, report: tells
	dutyRefund               // tells, but the host may decline
	dutyReversal             // undoes
)

var dutyNames = [...]string{"request", "at risk", "advice, notice", "refund", "reversal"}

func (d duty) String() string { return dutyNames[d] }

func (e Entry) duty() duty {
	switch {
	case e.Kind == Reversal:
		return dutyReversal
	case e.Kind == Request && e.Deferred && e.Op == Sale:
		return dutyAtRisk
	case e.Kind == Request:
		return dutyRequest
	case e.Op == Refund:
		return dutyRefund
	}
	return dutyAdvice
}

// answered is the circumstance in which an answer came.
type answered struct {
	verdict Verdict
	// repeat: an attempt before this one is not proven unsent.
	repeat bool
	// undone: for a reversal, no approval of its original was ever seen and
	// the host's batch is still the one in which the original was sent.
	undone bool
}

// outcome is the table of what an answer means. The state InDoubt decides
// nothing: the entry is sent again, or, a request, reversed.
func outcome(d duty, a answered) (State, string) {
	asks := d == dutyRequest || d == dutyAtRisk
	switch a.verdict {
	case Approved:
		return Accepted, ""
	case Unknown:
		return InDoubt, ""
	case Partial:
		if asks {
			return InDoubt, "" // reversed: less was approved than was asked
		}
		return Parked, "the host accepted it in part only"
	case Duplicate:
		if asks || !a.repeat {
			return Parked, "the host knows this STAN for another transaction"
		}
		return Accepted, ""
	case Unavailable:
		if d == dutyRequest {
			return Declined, ""
		}
		return InDoubt, ""
	case NotFound:
		if d == dutyReversal && a.undone {
			return Accepted, ""
		}
	}
	switch d {
	case dutyRequest, dutyAtRisk, dutyRefund:
		return Declined, ""
	case dutyReversal:
		return Parked, "the host refused the reversal"
	}
	return Parked, "the host refused it"
}
