// Package rescue moves what is not settled from a dying or replaced device to
// another one: sealed with age (filippo.io/age) for the owner's public key, so
// that the file can travel by whatever is at hand.
//
// What either device does is told by queue's Export and Import. Both may go on
// forwarding: each entry has one effect at the host.
package rescue

import (
	"context"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"

	"github.com/tallystick/tallystick/queue"
)

// Export writes all entries of q that are not settled, with their cards,
// sealed to the recipients, and returns how many. The X25519 identity of a
// recipient stays with the owner and never comes near the device.
//
// Errors: those of queue's Export; of age for no recipient; of w. What w got
// after an error is cut short, and Import refuses it.
func Export(ctx context.Context, q *queue.Queue, w io.Writer, to ...age.Recipient) (entries int, err error) {
	if len(to) == 0 {
		return 0, errors.New("a rescue needs a recipient: the owner's public key")
	}
	sealed, err := age.Encrypt(w, to...)
	if err != nil {
		return 0, err
	}
	if entries, err = q.Export(ctx, sealed); err != nil {
		return entries, err
	}
	return entries, sealed.Close()
}

// Import takes over into q what Export sealed to one of the identities. r is
// read twice: a file that is cut short, changed, or sealed to others is refused
// before anything is journalled, and nothing of it is kept in clear but in
// memory, an entry at a time. age proves that the file is whole, not who wrote
// it: import only what came from a device of yours.
//
// Errors: those of queue's Import; ErrDamaged, too, where age refuses the file;
// those of r.
func Import(ctx context.Context, q *queue.Queue, r io.ReadSeeker, ids ...age.Identity) (queue.Imported, error) {
	start, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return queue.Imported{}, err
	}
	return q.Import(ctx, func() (io.Reader, error) {
		if _, err := r.Seek(start, io.SeekStart); err != nil {
			return nil, err
		}
		plain, err := age.Decrypt(r, ids...)
		if err != nil {
			return nil, damaged(err)
		}
		return &opened{plain}, nil
	})
}

// opened names what age refuses in the middle.
type opened struct{ r io.Reader }

func (o *opened) Read(b []byte) (int, error) {
	n, err := o.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = damaged(err)
	}
	return n, err
}

func damaged(err error) error {
	return fmt.Errorf("%w: the rescue file does not open: %w", queue.ErrDamaged, err)
}
