package ledger

import (
	"context"
	"iter"
)

type pair struct{ key, value []byte }

// pages yields what load makes of the records of a prefix, from a key on. It
// reads a page at a time, so that no transaction is open while the loop body
// runs. An error is yielded once and last.
func pages[T any](ctx context.Context, e Engine, prefix, start []byte, load func(tx Tx, key, value []byte) (T, error)) iter.Seq2[T, error] {
	const size = 256
	return func(yield func(T, error) bool) {
		for from, more := start, true; more; {
			var page []T
			var last []byte
			err := e.View(ctx, func(tx Tx) error {
				page = page[:0]
				return tx.Scan(prefix, from, func(k, v []byte) (bool, error) {
					x, err := load(tx, k, v)
					page, last = append(page, x), k
					return len(page) < size, err
				})
			})
			if err != nil {
				yield(*new(T), err)
				return
			}
			for _, x := range page {
				if !yield(x, nil) {
					return
				}
			}
			if more = len(page) == size; more {
				from = append(append([]byte{}, last...), 0)
			}
		}
	}
}
