package ledger

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
)

// Memory is an Engine that keeps nothing beyond the process: for tests and
// trials. It is safe for concurrent use.
type Memory struct {
	mu     sync.RWMutex
	keys   []string // ascending
	values map[string][]byte
	closed bool
}

// OpenMemory returns an empty Memory.
func OpenMemory() *Memory { return &Memory{values: map[string][]byte{}} }

// Update runs fn alone.
func (m *Memory) Update(ctx context.Context, fn func(Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	tx := &memoryTx{m: m}
	kept := false
	defer func() {
		if !kept {
			tx.undo()
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	kept = true
	return nil
}

// View runs fn beside other Views.
func (m *Memory) View(ctx context.Context, fn func(Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return ErrClosed
	}
	return fn(&memoryTx{m: m})
}

// Close ends the engine; what it held stays readable by nobody.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

type memoryTx struct {
	m   *Memory
	old []change
}

type change struct {
	key   string
	value []byte // nil: there was none
}

func (t *memoryTx) Get(key []byte) ([]byte, error) { return t.m.values[string(key)], nil }

func (t *memoryTx) Put(key, value []byte) error {
	k := string(key)
	t.old = append(t.old, change{k, t.m.values[k]})
	t.m.set(k, append([]byte{}, value...))
	return nil
}

func (t *memoryTx) Delete(key []byte) error {
	k := string(key)
	t.old = append(t.old, change{k, t.m.values[k]})
	t.m.set(k, nil)
	return nil
}

func (t *memoryTx) Admit() error { return nil }

func (t *memoryTx) Scan(prefix, from []byte, fn func(key, value []byte) (bool, error)) error {
	if bytes.Compare(from, prefix) < 0 {
		from = prefix
	}
	i, _ := slices.BinarySearch(t.m.keys, string(from))
	for ; i < len(t.m.keys) && strings.HasPrefix(t.m.keys[i], string(prefix)); i++ {
		k := t.m.keys[i]
		more, err := fn([]byte(k), t.m.values[k])
		if err != nil || !more {
			return err
		}
	}
	return nil
}

func (t *memoryTx) undo() {
	for _, c := range slices.Backward(t.old) {
		t.m.set(c.key, c.value)
	}
}

func (m *Memory) set(k string, v []byte) {
	i, found := slices.BinarySearch(m.keys, k)
	switch {
	case v == nil && found:
		m.keys = slices.Delete(m.keys, i, i+1)
		delete(m.values, k)
		return
	case v == nil:
		return
	case !found:
		m.keys = slices.Insert(m.keys, i, k)
	}
	m.values[k] = v
}
