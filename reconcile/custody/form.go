package custody

import (
	"fmt"
	"strings"

	"github.com/tallystick/tallystick/internal/record"
	"github.com/tallystick/tallystick/queue"
)

// The data of an entry begins with one of these.
const (
	payForm    = "TSW1" // a payment for a parcel, or the note of one
	parcelForm = "TSP1" // what became of a parcel otherwise
	handForm   = "TSH1" // a hand-over
)

// maxWaybill is how long a waybill may be, in bytes.
const maxWaybill = 32

func checkWaybill(w string) error {
	if w == "" || len(w) > maxWaybill {
		return fmt.Errorf("%w: it has 1 to %d characters", ErrWaybill, maxWaybill)
	}
	for i := range len(w) {
		if c := w[i]; c <= ' ' || c > '~' || c == '/' {
			return fmt.Errorf("%w: it is printable ASCII without blanks and slashes", ErrWaybill)
		}
	}
	return nil
}

// WaybillOf returns the waybill that the data of an entry is a payment for, and
// whether it is one. It is what a ledger needs to know by which waybill entries
// of two devices conflict (ledger.Options.Claims).
func WaybillOf(data []byte) (waybill string, ok bool) {
	rest, found := strings.CutPrefix(string(data), payForm)
	if !found || rest == "" || len(rest) < 1+int(rest[0]) {
		return "", false
	}
	waybill = rest[1 : 1+int(rest[0])]
	return waybill, checkWaybill(waybill) == nil
}

// payData is kept with a payment.
type payData struct {
	waybill string
	due     queue.Money
	claimed bool    // the waybill was known to be this device's
	nonce   [8]byte // two calls never make the same payment
}

func (d payData) encode() []byte {
	w := record.Writer{B: []byte(payForm)}
	w.Byte(byte(len(d.waybill)))
	w.B = append(w.B, d.waybill...)
	w.Int(d.due.Minor)
	w.Uint(uint64(d.due.Currency))
	w.Bool(d.claimed)
	w.B = append(w.B, d.nonce[:]...)
	return w.B
}

func decodePay(data []byte) (d payData, err error) {
	waybill, ok := WaybillOf(data)
	if !ok {
		return d, errForm
	}
	r := record.NewReader(data[len(payForm)+1+len(waybill):])
	d.waybill = waybill
	d.due = queue.Money{Minor: r.Int(), Currency: queue.Currency(r.Uint())}
	d.claimed = r.Bool()
	if n := copy(d.nonce[:], r.Rest()); r.Err() != nil || n != len(d.nonce) {
		return d, errForm
	}
	return d, nil
}

// parcelData is kept with a notice about a parcel.
type parcelData struct {
	waybill string
	due     queue.Money
	claimed bool
	reason  string
}

func (d parcelData) encode() []byte {
	w := record.Writer{B: []byte(parcelForm)}
	w.String(d.waybill)
	w.Int(d.due.Minor)
	w.Uint(uint64(d.due.Currency))
	w.Bool(d.claimed)
	w.String(d.reason)
	return w.B
}

func decodeParcel(data []byte) (d parcelData, err error) {
	rest, found := strings.CutPrefix(string(data), parcelForm)
	if !found {
		return d, errForm
	}
	r := record.NewReader([]byte(rest))
	d.waybill = r.String()
	d.due = queue.Money{Minor: r.Int(), Currency: queue.Currency(r.Uint())}
	d.claimed, d.reason = r.Bool(), r.String()
	if r.Done() != nil {
		return d, errForm
	}
	return d, nil
}

// The refs of what belongs to a parcel. A parcel that was returned and is taken
// out again is in its next round.
func outRef(waybill string, round int) string { return fmt.Sprintf("cod/%s/%d/out", waybill, round) }
func payRef(waybill string, round, n int) string {
	return fmt.Sprintf("cod/%s/%d/%d", waybill, round, n)
}
func refusedRef(waybill string, round int) string {
	return fmt.Sprintf("cod/%s/%d/refused", waybill, round)
}
func returnedRef(waybill string, round int) string {
	return fmt.Sprintf("cod/%s/%d/returned", waybill, round)
}
func noteRef(payment string) string { return payment + "/note" }
