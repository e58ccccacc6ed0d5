package ledger

import (
	"fmt"
	"slices"

	"github.com/tallystick/tallystick/internal/record"
	"github.com/tallystick/tallystick/queue"
)

// journalBook is what the ledger knows of a journal.
type journalBook struct {
	journal [16]byte
	fresh   bool     // nobody has brought it yet
	Devices []string // that may deliver its entries; the first one brought it
	Epoch   uint64   // the newest one seen
	Entries uint64
	Top     queue.ID // the highest sequence booked
}

// maxHands bounds how many devices may deliver one journal's entries.
const maxHands = 16

func (b journalBook) encode() []byte {
	w := &record.Writer{}
	w.Uint(uint64(len(b.Devices)))
	for _, d := range b.Devices {
		w.String(d)
	}
	w.Uint(b.Epoch)
	w.Uint(b.Entries)
	w.Uint(uint64(b.Top))
	return w.B
}

func decodeBook(journal [16]byte, v []byte) (journalBook, error) {
	b := journalBook{journal: journal}
	r := record.NewReader(v)
	n := r.Uint()
	if n > maxHands {
		r.Fail()
	}
	for i := uint64(0); i < n && r.Err() == nil; i++ {
		b.Devices = append(b.Devices, r.String())
	}
	b.Epoch, b.Entries, b.Top = r.Uint(), r.Uint(), queue.ID(r.Uint())
	if err := r.Done(); err != nil {
		return b, fmt.Errorf("%w: journal %x: %w", ErrDamaged, journal, err)
	}
	return b, nil
}

func loadBook(tx Tx, journal [16]byte) (b journalBook, known bool, err error) {
	v, err := tx.Get(key(spaceBook, journal[:]))
	if err != nil || v == nil {
		return journalBook{journal: journal}, false, err
	}
	b, err = decodeBook(journal, v)
	return b, true, err
}

func (b journalBook) put(tx Tx) error { return tx.Put(key(spaceBook, b.journal[:]), b.encode()) }

// seen raises the epoch where an entry shows a newer one: all that is older is
// fenced from then on.
func (b journalBook) seen(tx Tx, epoch uint64) error {
	if epoch <= b.Epoch {
		return nil
	}
	b.Epoch = epoch
	return b.put(tx)
}

// ownBook returns the journal's book if the device may deliver its entries. A
// journal that nobody has brought yet becomes the device's own; what is new
// about it is written with the first entry.
func ownBook(tx Tx, journal [16]byte, device string, o *Options) (journalBook, error) {
	b, known, err := loadBook(tx, journal)
	if err != nil {
		return b, err
	}
	if known {
		if !slices.Contains(b.Devices, device) {
			return b, ErrForeign
		}
		return b, nil
	}
	use, err := loadUsage(tx, device)
	if err != nil {
		return b, err
	}
	l, err := o.limits(tx, device)
	if err != nil {
		return b, err
	}
	if limit := l.Journals; use.Journals >= limit {
		return b, &LimitError{Limit: "journals", Have: use.Journals + 1, Max: limit}
	}
	b.fresh, b.Devices = true, []string{device}
	return b, nil
}

// bind keeps a fresh journal as the device's, for what comes before its entries.
func (b journalBook) bind(tx Tx, device string) error {
	if !b.fresh {
		return nil
	}
	use, err := loadUsage(tx, device)
	if err != nil {
		return err
	}
	use.Journals++
	if err := tx.Put(usageKey(device), use.encode()); err != nil {
		return err
	}
	return b.put(tx)
}

// usage is what a device has taken of its limits.
type usage struct{ Entries, Bytes, Journals, Claims, Attachments, AttachmentBytes int64 }

func usageKey(device string) []byte { return key(spaceMeta, []byte("use "), []byte(device)) }

func (u usage) encode() []byte {
	w := &record.Writer{}
	for _, n := range []int64{u.Entries, u.Bytes, u.Journals, u.Claims, u.Attachments, u.AttachmentBytes} {
		w.Int(n)
	}
	return w.B
}

func loadUsage(tx Tx, device string) (u usage, err error) {
	v, err := tx.Get(usageKey(device))
	if err != nil || v == nil {
		return u, err
	}
	r := record.NewReader(v)
	for _, n := range []*int64{&u.Entries, &u.Bytes, &u.Journals, &u.Claims, &u.Attachments, &u.AttachmentBytes} {
		*n = r.Int()
	}
	if err := r.Done(); err != nil {
		return u, fmt.Errorf("%w: usage of %s: %w", ErrDamaged, device, err)
	}
	return u, nil
}

// admit counts the submission against the device's limits. A reversal is
// counted, but never refused: it takes money back that was taken in doubt.
func (s submission) admit(tx Tx, o *Options, b Booking) (usage, error) {
	use, err := loadUsage(tx, s.device)
	if err != nil {
		return use, err
	}
	use.Entries++
	use.Bytes += int64(len(b.encode()))
	for _, bk := range []journalBook{s.home, s.sender} {
		if bk.fresh {
			use.Journals++
		}
	}
	l, err := o.limits(tx, s.device)
	switch {
	case err != nil:
		return use, err
	case s.entry.Kind == queue.Reversal:
	case use.Entries > l.Entries:
		return use, &LimitError{Limit: "entries", Have: use.Entries, Max: l.Entries}
	case use.Bytes > l.Bytes:
		return use, &LimitError{Limit: "bytes", Have: use.Bytes, Max: l.Bytes}
	}
	return use, nil
}

// limits are those of a device: its own where it has some.
func (o *Options) limits(tx Tx, device string) (Limits, error) {
	d, _, err := loadDevice(tx, device)
	return o.limitsOf(d), err
}
