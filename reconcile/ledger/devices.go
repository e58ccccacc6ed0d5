package ledger

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/time/rate"

	"github.com/tallystick/tallystick/internal/record"
	"github.com/tallystick/tallystick/queue"
)

// Limits bound one device. A zero field leaves the default.
type Limits struct {
	Entries  int64 // booked in all; default 1,000,000
	Bytes    int64 // that its bookings take, roughly; default 512 MiB
	Journals int64 // that it may bring; default 16
	Claims   int64 // that it may hold before they are paid; default 10,000
	// Rate is how many entries or messages it may send a second, Burst how many
	// at once. Defaults 200 and 512; less than 256 for Burst would refuse the
	// largest request for ever, and counts as 256.
	Rate, Burst int64
	// Attachments bounds how many it may have, complete or not, AttachmentBytes
	// their sizes together. Defaults 10,000 and 2 GiB.
	Attachments, AttachmentBytes int64
}

var defaultLimits = Limits{Entries: 1_000_000, Bytes: 512 << 20, Journals: 16, Claims: 10_000,
	Rate: 200, Burst: 512, Attachments: 10_000, AttachmentBytes: 2 << 30}

func (l *Limits) fields() []*int64 {
	return []*int64{&l.Entries, &l.Bytes, &l.Journals, &l.Claims, &l.Rate, &l.Burst, &l.Attachments, &l.AttachmentBytes}
}

func (l Limits) withDefaults(d Limits) Limits {
	for i, f := range l.fields() {
		if *f <= 0 {
			*f = *d.fields()[i]
		}
	}
	return l
}

// Device is what the ledger knows of a device.
type Device struct {
	Name   string // 1 to 64 bytes
	Limits Limits // its own; a zero field leaves that of Options
	Locked bool   // it is refused
	// Lanes are those whose entries it may deliver, up to 64. None: any.
	Lanes  []queue.Lane
	access [][]byte
}

const maxLanes = 64

// maxAccess bounds the tokens and certificates of one device: two of each
// overlap while one is replaced.
const maxAccess = 8

func (d Device) encode() []byte {
	w := &record.Writer{}
	for _, f := range d.Limits.fields() {
		w.Int(*f)
	}
	w.Bool(d.Locked)
	w.Uint(uint64(len(d.Lanes)))
	for _, l := range d.Lanes {
		w.String(l.Host)
		w.String(l.Merchant)
		w.String(l.Terminal)
	}
	w.Uint(uint64(len(d.access)))
	for _, a := range d.access {
		w.Bytes(a)
	}
	return w.B
}

func loadDevice(tx Tx, name string) (d Device, known bool, err error) {
	v, err := tx.Get(key(spaceDevice, []byte(name)))
	if err != nil || v == nil {
		return d, false, err
	}
	d, err = decodeDevice(name, v)
	return d, true, err
}

func decodeDevice(name string, v []byte) (Device, error) {
	d := Device{Name: name}
	r := record.NewReader(v)
	for _, f := range d.Limits.fields() {
		*f = r.Int()
	}
	d.Locked = r.Bool()
	lanes := r.Uint()
	if lanes > maxLanes {
		r.Fail()
	}
	for i := uint64(0); i < lanes && r.Err() == nil; i++ {
		d.Lanes = append(d.Lanes, queue.Lane{Host: r.String(), Merchant: r.String(), Terminal: r.String()})
	}
	n := r.Uint()
	if n > maxAccess {
		r.Fail()
	}
	for i := uint64(0); i < n && r.Err() == nil; i++ {
		d.access = append(d.access, slices.Clone(r.Bytes()))
	}
	if err := r.Done(); err != nil {
		return d, fmt.Errorf("%w: device %s: %w", ErrDamaged, name, err)
	}
	return d, nil
}

func (d Device) put(tx Tx) error { return tx.Put(key(spaceDevice, []byte(d.Name)), d.encode()) }

// SetDevice makes a device known, or changes its limits, its lanes and whether it
// is locked out. Its tokens and certificates stay.
//
// Errors: *InvalidError for the name or the lanes, those of the engine.
func (l *Ledger) SetDevice(ctx context.Context, d Device) error {
	if len(d.Name) < 1 || len(d.Name) > 64 || !utf8.ValidString(d.Name) {
		return &InvalidError{"device", "needs a name of 1 to 64 bytes of UTF-8"}
	}
	if len(d.Lanes) > maxLanes {
		return &InvalidError{"lanes", fmt.Sprintf("are %d, allowed are up to %d", len(d.Lanes), maxLanes)}
	}
	return l.engine.Update(ctx, func(tx Tx) error {
		old, _, err := loadDevice(tx, d.Name)
		if err != nil {
			return err
		}
		d.access = old.access
		return d.put(tx)
	})
}

// Device returns what is known of a device, or ErrNotFound.
func (l *Ledger) Device(ctx context.Context, name string) (d Device, err error) {
	err = l.engine.View(ctx, func(tx Tx) error {
		var known bool
		if d, known, err = loadDevice(tx, name); err == nil && !known {
			err = fmt.Errorf("device: %w", ErrNotFound)
		}
		return err
	})
	return d, err
}

// Devices yields the devices by name. An error is yielded once and last.
func (l *Ledger) Devices(ctx context.Context) iter.Seq2[Device, error] {
	return pages(ctx, l.engine, key(spaceDevice), nil, func(_ Tx, k, v []byte) (Device, error) { return decodeDevice(string(k[1:]), v) })
}

// Token issues a token for the device, 43 characters, of which the ledger keeps
// the hash alone. It is good for this device until Revoke; a second one can be
// issued while the first is still in use.
//
// Errors: ErrNotFound; a *LimitError when the device has eight tokens and
// certificates; those of the engine.
func (l *Ledger) Token(ctx context.Context, device string) (string, error) {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	token := base64.RawURLEncoding.EncodeToString(raw)
	if err := l.allow(ctx, device, tokenAccess(token)); err != nil {
		return "", err
	}
	return token, nil
}

// Pin lets the device in by the public key of a client certificate, whoever
// issued that: a renewed certificate of the same key goes on being good.
//
// Errors: those of Token; ErrTaken when another device has the key.
func (l *Ledger) Pin(ctx context.Context, device string, cert *x509.Certificate) error {
	return l.allow(ctx, device, certAccess(cert))
}

func tokenAccess(token string) []byte { return access("token", []byte(token)) }

func certAccess(c *x509.Certificate) []byte { return access("key", c.RawSubjectPublicKeyInfo) }

func access(kind string, secret []byte) []byte {
	d := sha256.Sum256(append([]byte(kind+"\x00"), secret...))
	return d[:]
}

func (l *Ledger) allow(ctx context.Context, device string, a []byte) error {
	return l.engine.Update(ctx, func(tx Tx) error {
		d, known, err := loadDevice(tx, device)
		if err == nil && !known {
			err = fmt.Errorf("device: %w", ErrNotFound)
		}
		if err != nil {
			return err
		}
		holder, err := tx.Get(key(spaceAccess, a))
		switch {
		case err != nil:
			return err
		case string(holder) == device:
			return nil
		case holder != nil:
			return ErrTaken
		case len(d.access) >= maxAccess:
			return &LimitError{Limit: "credentials", Have: maxAccess + 1, Max: maxAccess}
		}
		d.access = append(slices.Clone(d.access), a)
		if err := tx.Put(key(spaceAccess, a), []byte(device)); err != nil {
			return err
		}
		return d.put(tx)
	})
}

// Revoke takes all tokens and certificates of the device away.
func (l *Ledger) Revoke(ctx context.Context, device string) error {
	return l.engine.Update(ctx, func(tx Tx) error {
		d, known, err := loadDevice(tx, device)
		if err != nil || !known {
			return err
		}
		for _, a := range d.access {
			if err := tx.Delete(key(spaceAccess, a)); err != nil {
				return err
			}
		}
		d.access = nil
		return d.put(tx)
	})
}

// who returns the device that a token or certificate belongs to.
func (l *Ledger) who(ctx context.Context, a []byte) (d Device, err error) {
	err = l.engine.View(ctx, func(tx Tx) error {
		name, err := tx.Get(key(spaceAccess, a))
		if err != nil {
			return err
		}
		known := false
		if name != nil {
			if d, known, err = loadDevice(tx, string(name)); err != nil {
				return err
			}
		}
		if !known || d.Locked {
			return ErrUnknownDevice
		}
		return nil
	})
	return d, err
}

// Hand lets a second device deliver a journal's entries: one that took them over
// from the first by an import. The first may go on, too.
//
// Errors: ErrNotFound for the journal or the device, a *LimitError for more than
// 16 devices, those of the engine.
func (l *Ledger) Hand(ctx context.Context, journal [16]byte, device string) error {
	return l.engine.Update(ctx, func(tx Tx) error {
		b, known, err := loadBook(tx, journal)
		if err == nil && !known {
			err = fmt.Errorf("journal %x: %w", journal, ErrNotFound)
		}
		if err != nil {
			return err
		}
		if _, known, err = loadDevice(tx, device); err != nil || !known {
			if err == nil {
				err = fmt.Errorf("device: %w", ErrNotFound)
			}
			return err
		}
		if slices.Contains(b.Devices, device) {
			return nil
		}
		if len(b.Devices) >= maxHands {
			return &LimitError{Limit: "hands", Have: maxHands + 1, Max: maxHands}
		}
		b.Devices = append(slices.Clone(b.Devices), device)
		return b.put(tx)
	})
}

// limits are those of a device.
func (o *Options) limitsOf(d Device) Limits { return d.Limits.withDefaults(o.Limits) }

// rates holds back each device by itself.
type rates struct {
	mu sync.Mutex
	by map[string]*rate.Limiter
}

// maxRates bounds how many devices' rates are remembered.
const maxRates = 100_000

// wait tells how long the device has to wait before it may send n more; 0: it
// may, and they are counted.
func (r *rates) wait(device string, l Limits, n int, now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil || len(r.by) > maxRates {
		r.by = map[string]*rate.Limiter{}
	}
	lim := r.by[device]
	if lim == nil {
		lim = rate.NewLimiter(0, 0)
		r.by[device] = lim
	}
	per, burst := rate.Limit(l.Rate), int(max(l.Burst, 256))
	if lim.Limit() != per || lim.Burst() != burst {
		lim = rate.NewLimiter(per, burst)
		r.by[device] = lim
	}
	if lim.AllowN(now, n) {
		return 0
	}
	missing := float64(n) - lim.TokensAt(now)
	return max(time.Second, time.Duration(missing/float64(per)*float64(time.Second)))
}
