package journal

import (
	"context"
	"fmt"
	"runtime/debug"
)

// guard turns a panic or a memory fault inside fn, which bbolt can raise on a
// damaged file, into an error.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	return fn()
}

// verifyPage is how many events one read transaction of VerifyLog covers.
const verifyPage = 1000

// VerifyLog walks the event log: every event is there, opens, and carries the
// chain hash that follows from the one before it, up to the log's end.
func (f *File) VerifyLog(ctx context.Context) error {
	var head [chainSize]byte
	next, done := uint64(1), false
	for !done {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := f.View(func(tx *Tx) error {
			end, err := tx.tail()
			if err != nil {
				return err
			}
			for n := 0; n < verifyPage && next <= end.last; n++ {
				chain, body, err := tx.event(next)
				if err != nil {
					return err
				}
				head = f.link.next(head, next, body)
				if string(chain) != string(head[:]) {
					return &DamageError{events, eventKey(next), fmt.Errorf("%w: the chain does not reach it", ErrDamaged)}
				}
				next++
			}
			done = next > end.last
			if done && head != end.head {
				return &DamageError{headers, []byte("tail"), fmt.Errorf("%w: the log ends elsewhere", ErrDamaged)}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
