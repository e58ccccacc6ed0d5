package ledger

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/tallystick/tallystick/internal/record"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/agree"
)

// Receipt is the ledger's word that it holds what stands at some sequences of a
// journal.
type Receipt struct {
	Journal [16]byte
	Epoch   uint64 // the newest one of the journal that the ledger had seen
	Issued  time.Time
	// Ranges are the sequences that the ledger holds, of those that were asked
	// for: booked as accepted, not reversed, and one of a kind. Ascending, with
	// something missing between any two.
	Ranges []agree.Range
	// Root is the Merkle root, as package agree has it, over the sequences from
	// 1 to the last one of Ranges, where those in Ranges have the leaf of their
	// entry's digest and all others none.
	Root agree.Leaf
}

// ErrReceipt means that the bytes are no receipt signed with the key, or that
// the receipt does not fit the journal.
var ErrReceipt = errors.New("no valid receipt")

const (
	receiptMagic = "TSR1"
	keyMark      = 8
	// maxRuns bounds the ranges of a receipt, maxReceipt its bytes.
	maxRuns    = 1 << 14
	maxReceipt = 64 + 128 + maxRuns*14
	// maxAsked bounds how many sequences one receipt can be asked for.
	maxAsked = 1 << 20
)

// Covers tells whether the ledger holds what stands at seq.
func (r Receipt) Covers(seq queue.ID) bool {
	i := sort.Search(len(r.Ranges), func(i int) bool { return r.Ranges[i].To >= uint64(seq) })
	return i < len(r.Ranges) && r.Ranges[i].From <= uint64(seq)
}

// Last is the last sequence that it covers, 0 when it covers none.
func (r Receipt) Last() uint64 {
	if len(r.Ranges) == 0 {
		return 0
	}
	return r.Ranges[len(r.Ranges)-1].To
}

// Sign returns the receipt's bytes:
//
//	"TSR1"
//	8   SHA-256(public key)[:8]: which key signed
//	16  journal
//	u   epoch
//	u   issued, milliseconds since 1970
//	16  root
//	u   number of ranges
//	u u of each: its From less the To before it (less 0 for the first), its length
//	64  Ed25519 over all before it
//
// where u is an unsigned varint of as few bytes as it needs.
func (r Receipt) Sign(key ed25519.PrivateKey) []byte {
	b := r.signed(key.Public().(ed25519.PublicKey))
	return append(b, ed25519.Sign(key, b)...)
}

func (r Receipt) signed(pub ed25519.PublicKey) []byte {
	mark := sha256.Sum256(pub)
	w := &record.Writer{B: []byte(receiptMagic)}
	w.B = append(w.B, mark[:keyMark]...)
	w.B = append(w.B, r.Journal[:]...)
	w.Uint(r.Epoch)
	w.Uint(uint64(max(0, r.Issued.UnixMilli())))
	w.B = append(w.B, r.Root[:]...)
	w.Uint(uint64(len(r.Ranges)))
	last := uint64(0)
	for _, x := range r.Ranges {
		w.Uint(x.From - last)
		w.Uint(x.Len())
		last = x.To
	}
	return w.B
}

// OpenReceipt reads a receipt and verifies that the owner of pub signed it, byte
// for byte. The error is ErrReceipt.
func OpenReceipt(b []byte, pub ed25519.PublicKey) (Receipt, error) {
	const fixed = len(receiptMagic) + keyMark + 16
	if len(b) < fixed+ed25519.SignatureSize || len(b) > maxReceipt || string(b[:4]) != receiptMagic || len(pub) != ed25519.PublicKeySize {
		return Receipt{}, fmt.Errorf("%w: it has not the form of one", ErrReceipt)
	}
	body, sig := b[:len(b)-ed25519.SignatureSize], b[len(b)-ed25519.SignatureSize:]
	if mark := sha256.Sum256(pub); string(b[4:4+keyMark]) != string(mark[:keyMark]) {
		return Receipt{}, fmt.Errorf("%w: another key signed it", ErrReceipt)
	}
	if !ed25519.Verify(pub, body, sig) {
		return Receipt{}, fmt.Errorf("%w: the signature is wrong", ErrReceipt)
	}
	r, err := readReceipt([16]byte(body[4+keyMark:]), body[fixed:])
	if err != nil {
		return Receipt{}, fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	return r, nil
}

func readReceipt(journal [16]byte, b []byte) (Receipt, error) {
	r := record.NewReader(b)
	out := Receipt{Journal: journal, Epoch: r.Uint()}
	issued := r.Uint()
	if issued > 1<<53 {
		r.Fail()
	}
	out.Issued = time.UnixMilli(int64(issued)).UTC()
	for i := range out.Root {
		out.Root[i] = r.Byte()
	}
	n := r.Uint()
	if n > maxRuns {
		r.Fail()
	}
	last := uint64(0)
	for i := uint64(0); i < n && r.Err() == nil; i++ {
		gap, length := r.Uint(), r.Uint()
		// Ranges that touch would be one.
		if gap < 1 || (i > 0 && gap < 2) || length < 1 || gap > agree.MaxSequence || length > agree.MaxSequence ||
			last+gap+length-1 > agree.MaxSequence {
			r.Fail()
			break
		}
		out.Ranges = append(out.Ranges, agree.Range{From: last + gap, To: last + gap + length - 1})
		last += gap + length - 1
	}
	return out, r.Done()
}

// Receipt issues a receipt for what the ledger holds of the journal at the
// sequences of asked, which are ascending; the bytes go to OpenReceipt.
//
// Errors: ErrForeign, ErrNotFound for a journal that the ledger does not know,
// *InvalidError for ranges that are not ascending or of more than 1,048,576
// sequences, *LimitError for what has more than 16,384 gaps, ErrBusy
// while another receipt or message of the device is being worked at, those of
// the engine.
func (l *Ledger) Receipt(ctx context.Context, device string, journal [16]byte, asked []agree.Range) ([]byte, error) {
	if err := checkAsked(asked); err != nil {
		return nil, err
	}
	alone, err := l.alone(device)
	if err != nil {
		return nil, err
	}
	defer alone()
	r := Receipt{Journal: journal, Issued: l.now()}
	err = l.engine.View(ctx, func(tx Tx) error {
		b, known, err := loadBook(tx, journal)
		switch {
		case err != nil:
			return err
		case !known:
			return fmt.Errorf("journal %x: %w", journal, ErrNotFound)
		case !slices.Contains(b.Devices, device):
			return ErrForeign
		}
		r.Epoch = b.Epoch
		r.Ranges, r.Root, err = heldIn(tx, journal, asked)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r.Sign(l.signer), nil
}

func checkAsked(asked []agree.Range) error {
	last, sum := uint64(0), uint64(0)
	for _, r := range asked {
		if r.From <= last || r.To < r.From || r.To > agree.MaxSequence {
			return &InvalidError{"ranges", "are not ascending"}
		}
		if sum += r.Len(); sum > maxAsked {
			return &InvalidError{"ranges", fmt.Sprintf("hold more than %d sequences", maxAsked)}
		}
		last = r.To
	}
	if len(asked) == 0 || len(asked) > maxRuns {
		return &InvalidError{"ranges", fmt.Sprintf("are %d, allowed are 1 to %d", len(asked), maxRuns)}
	}
	return nil
}

// heldIn returns what a receipt can say of the sequences asked for, of one
// state of the ledger.
func heldIn(tx Tx, journal [16]byte, asked []agree.Range) ([]agree.Range, agree.Leaf, error) {
	var out []agree.Range
	var tree agree.Half
	hold := func(b *Booking, standing int) error {
		if standing != 1 {
			return nil
		}
		seq := uint64(b.Sequence)
		if n := len(out); n > 0 && out[n-1].To+1 == seq {
			out[n-1].To = seq
		} else {
			out = append(out, agree.Range{From: seq, To: seq})
		}
		if len(out) > maxRuns {
			return &LimitError{Limit: "ranges of a receipt", Have: int64(len(out)), Max: maxRuns}
		}
		return tree.Set(seq, agree.LeafOf(b.Digest))
	}
	for _, r := range asked {
		var newest *Booking
		standing := 0
		err := tx.Scan(key(spaceBooking, journal[:]), key(spaceBooking, journal[:], u64(r.From)), func(k, v []byte) (bool, error) {
			b, err := readBooking(tx, k, v)
			if err != nil || uint64(b.Sequence) > r.To {
				return false, err
			}
			if newest != nil && newest.Sequence != b.Sequence {
				if err := hold(newest, standing); err != nil {
					return false, err
				}
				newest, standing = nil, 0
			}
			if b.State == queue.Accepted {
				newest, standing = &b, standing+1
			}
			return true, nil
		})
		if err == nil && newest != nil {
			err = hold(newest, standing)
		}
		if err != nil {
			return nil, agree.Leaf{}, err
		}
	}
	last := uint64(0)
	if len(out) > 0 {
		last = out[len(out)-1].To
	}
	return out, tree.Root(last), nil
}
