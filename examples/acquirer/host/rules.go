package host

import "bytes"

// request is a transaction or a reversal as the rules see it: no wire format,
// no card number.
type request struct {
	Booking         // what would be booked; Original as DE 61 names it, zero when it names none
	original string // DE 37: the RRN of the original
	content  []byte // HMAC of what must be the same in a repeat
	refuse   string // this code instead of booking it, when not empty
	forget   bool   // answer 00 but book nothing, if it is a debit
}

// verdict is what the host answers.
type verdict struct {
	Code     string
	RRN      string
	AuthCode string

	forgotten bool // answered 00 and not booked
}

func code(c string) verdict { return verdict{Code: c} }

// transact books r or says why not. An identity is booked at most once: what is
// known is answered 94, even after its batch has closed.
func (b books) transact(t *terminalRecord, r *request) (verdict, error) {
	known, err := b.booking(r.Identity)
	if err != nil {
		return verdict{}, err
	}
	if known != nil {
		return b.repeated(known, r)
	}
	tomb, err := b.tombstone(r.Identity)
	if err != nil {
		return verdict{}, err
	}
	if tomb != nil {
		tomb.Refused++
		return code("12"), b.saveTombstone(tomb)
	}
	if r.Batch != t.Batch {
		return code("77"), nil
	}
	if r.refuse != "" {
		return code(r.refuse), nil
	}
	refusal, err := b.apply(r)
	if err != nil || refusal != "" {
		return code(refusal), err
	}
	r.State, r.Arrivals = Booked, 1
	if r.RRN, r.AuthCode, err = b.numbers(); err != nil {
		return verdict{}, err
	}
	v := verdict{Code: "00", RRN: r.RRN, AuthCode: r.AuthCode, forgotten: r.forget && !r.Kind.credit()}
	if !v.forgotten {
		err = b.add(&bookingRecord{Booking: r.Booking, Content: r.content})
	}
	return v, err
}

// repeated answers an identity that is booked already and books nothing.
func (b books) repeated(known *bookingRecord, r *request) (verdict, error) {
	known.Arrivals++
	if !known.same(r) {
		known.Conflicts++
		if err := b.conflict(r.asConflict(), r.content); err != nil {
			return verdict{}, err
		}
		return code("94"), b.saveBooking(known)
	}
	return verdict{Code: "94", RRN: known.RRN, AuthCode: known.AuthCode}, b.saveBooking(known)
}

// same says whether r is the transaction that was booked. Of one that came from
// an upload only the amount and the card are known.
func (known *bookingRecord) same(r *request) bool {
	if known.FromUpload {
		return known.Amount == r.Amount && sameCard(known.PAN, r.PAN)
	}
	return bytes.Equal(known.Content, r.content)
}

// sameCard compares masked card numbers; none is like any, for an upload need
// not carry one.
func sameCard(a, b string) bool { return a == b || a == "" || b == "" }

func (r *request) asConflict() Conflict {
	return Conflict{Identity: r.Identity, MTI: r.MTI, Kind: r.Kind, Amount: r.Amount}
}

// apply does what a void or a refund does to its original and names the code
// that refuses it, or none.
func (b books) apply(r *request) (refusal string, err error) {
	if !r.Kind.credit() {
		return "", nil
	}
	original, err := b.findOriginal(r)
	if err != nil {
		return "", err
	}
	if original == nil {
		return "25", nil
	}
	if r.Kind == Void {
		refusal = original.void(r)
	} else {
		refusal = original.refund(r)
	}
	if refusal != "" {
		return refusal, nil
	}
	r.Original = original.Identity
	return "", b.saveBooking(original)
}

// findOriginal finds the original by its RRN, by DE 61, or by both, which must
// then agree. It must be the same merchant's.
func (b books) findOriginal(r *request) (found *bookingRecord, err error) {
	named := r.Original.Batch != 0 && r.Original.STAN != 0
	switch {
	case r.original != "":
		found, err = b.byRRN(r.original)
	case named:
		found, err = b.booking(r.Original)
	}
	if err != nil || found == nil {
		return nil, err
	}
	other := named && (found.Batch != r.Original.Batch || found.STAN != r.Original.STAN)
	if other || found.Merchant != r.Merchant || found.Kind.credit() {
		return nil, nil
	}
	return found, nil
}

// void marks the sale voided: of the same terminal and batch, whole, once.
func (o *bookingRecord) void(r *request) (refusal string) {
	switch {
	case o.State == Reversed:
		return "25"
	case o.Terminal != r.Terminal, o.Batch != r.Batch, o.Kind != Sale, o.State != Booked, o.Refunded > 0:
		return "12"
	case o.Amount != r.Amount || o.Currency != r.Currency:
		return "64"
	}
	o.State = Voided
	return ""
}

// refund takes r's amount off what is left of the sale. Its batch may be closed.
func (o *bookingRecord) refund(r *request) (refusal string) {
	switch {
	case o.State != Booked:
		return "12"
	case r.Currency != o.Currency, r.Amount > o.Amount-o.Refunded:
		return "64"
	}
	o.Refunded += r.Amount
	return ""
}

// reverse undoes the sale or void that has r's identity. Once undone it answers
// 00 for ever; where there is nothing to undo it keeps a tombstone that refuses
// the original.
func (b books) reverse(t *terminalRecord, r *request) (verdict, error) {
	if r.Kind != Sale && r.Kind != Void {
		return code("12"), nil
	}
	known, err := b.booking(r.Identity)
	if err != nil {
		return verdict{}, err
	}
	switch {
	case known == nil:
		return b.bury(r)
	case known.Kind != r.Kind || known.Amount != r.Amount:
		known.Conflicts++
		if err := b.conflict(r.asConflict(), r.content); err != nil {
			return verdict{}, err
		}
		return code("25"), b.saveBooking(known)
	case known.State == Reversed:
		return verdict{Code: "00", RRN: known.RRN, AuthCode: known.AuthCode}, nil
	case known.Batch != t.Batch:
		return code("22"), nil
	case known.State == Voided || known.Refunded > 0:
		return code("12"), nil
	}
	if known.Kind == Void {
		if err := b.unvoid(known); err != nil {
			return verdict{}, err
		}
	}
	known.State = Reversed
	return verdict{Code: "00", RRN: known.RRN, AuthCode: known.AuthCode}, b.saveBooking(known)
}

// bury keeps a tombstone for an original that is not here.
func (b books) bury(r *request) (verdict, error) {
	tomb, err := b.tombstone(r.Identity)
	if err != nil {
		return verdict{}, err
	}
	if tomb == nil {
		tomb = &Tombstone{Identity: r.Identity, Kind: r.Kind, Amount: r.Amount}
	}
	tomb.Arrivals++
	return code("25"), b.saveTombstone(tomb)
}

// unvoid lets the sale stand again whose void is reversed.
func (b books) unvoid(void *bookingRecord) error {
	original, err := b.booking(void.Original)
	if err != nil || original == nil {
		return err
	}
	original.State = Booked
	return b.saveBooking(original)
}
