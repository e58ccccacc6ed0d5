package boltfile

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"
)

// Part is what visits the records of one part of a file, alone and in order.
type Part interface {
	Visit(bucket, key, value []byte) error
}

// WalkParts is WalkFree by several workers at a time. It divides the file into
// parts, each a run of records of one bucket. A worker calls begin for each
// part that it takes, and Visit of what that returns; join is called with what
// has visited a part, one at a time and in the order of the parts in the file.
//
// It passes what Walk passes. The error is that of the first part in which
// something is wrong; where a page is reached twice that may be another one
// each time. It has few parts under way at a time, and ends with all workers
// ended. What panics in a worker panics in the caller.
func WalkParts[P Part](ctx context.Context, f *File, workers int, begin func() P, join func(P) error) (Free, error) {
	ctx, cancel := context.WithCancel(ctx)
	d := &division[P]{
		walker: f.walker(ctx, nil, func(err error) error { return err }),
		begin:  begin,
		work:   make(chan *part[P], 2*workers),
		inLine: make(chan *part[P], 2*workers),
	}
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	all.Go(d.divide)
	for range workers {
		all.Go(d.visit)
	}
	for p := range d.inLine {
		<-p.done
		if p.err != nil {
			return Free{}, failed(p.err)
		}
		if err := join(p.by); err != nil {
			return Free{}, err
		}
	}
	if d.err != nil {
		return Free{}, failed(d.err)
	}
	return d.walker.free()
}

// part is one part of a file on its way.
type part[P Part] struct {
	walk   func(*walker, func(page, element) error) error
	bucket []byte
	by     P
	err    error
	done   chan struct{}
}

// division is a file that is walked in parts.
type division[P Part] struct {
	walker *walker // of the branches above the parts
	begin  func() P
	work   chan *part[P] // for the workers
	inLine chan *part[P] // the same, in their order
	err    error         // what ended the division, once inLine is closed
}

// divide gives out the parts of the file.
func (d *division[P]) divide() {
	defer close(d.inLine)
	defer close(d.work)
	defer caught(&d.err)
	d.err = d.walker.eachBucket(func(name []byte, root uint64, small page) error {
		if root != 0 {
			return d.tree(name, root, 0, nil, nil)
		}
		small.b = bytes.Clone(small.b)
		return d.give(name, func(w *walker, each func(page, element) error) error {
			return w.leaf(small, nil, nil, each)
		})
	})
}

// tree gives out the tree under id: as a whole where it is a leaf or a branch of
// leaves, else what each entry of its branch leads to.
func (d *division[P]) tree(bucket []byte, id uint64, depth int, from, to []byte) error {
	w := d.walker
	if w.height(id) < 2 {
		from, to := bytes.Clone(from), bytes.Clone(to)
		return d.give(bucket, func(w *walker, each func(page, element) error) error {
			return w.tree(id, depth, from, to, each)
		})
	}
	w.level++
	defer func() { w.level-- }()
	p, err := w.reach(id, depth)
	if err != nil {
		return err
	}
	es, err := w.branch(p, from, to)
	if err != nil {
		return err
	}
	for i, e := range es {
		if err := d.tree(bucket, e.child, depth+1, e.key, upTo(es, i, to)); err != nil {
			return err
		}
	}
	return nil
}

// height is how many branches lie above the first leaf under id, as far as its
// pages can be read. It reaches none of them.
func (w *walker) height(id uint64) (n int) {
	for range maxDepth {
		p, err := w.f.readInto(w.peek, id)
		if err != nil || p.flags != flagBranch || p.count == 0 {
			break
		}
		w.peek = p.b
		id = binary.LittleEndian.Uint64(p.b[pageHeader+8:])
		n++
	}
	return n
}

func (d *division[P]) give(bucket []byte, walk func(*walker, func(page, element) error) error) error {
	p := &part[P]{walk: walk, bucket: bytes.Clone(bucket), done: make(chan struct{})}
	for _, to := range []chan *part[P]{d.work, d.inLine} {
		select {
		case to <- p:
		case <-d.walker.ctx.Done():
			return d.walker.ctx.Err()
		}
	}
	return nil
}

// visit is a worker.
func (d *division[P]) visit() {
	w := &walker{f: d.walker.f, ctx: d.walker.ctx, lost: d.walker.lost, seen: d.walker.seen, inside: true}
	for p := range d.work {
		d.visitPart(w, p)
	}
}

func (d *division[P]) visitPart(w *walker, p *part[P]) {
	defer close(p.done)
	defer caught(&p.err)
	p.by = d.begin()
	w.visit, w.level = p.by.Visit, 0
	p.err = p.walk(w, w.record(p.bucket))
}

// panicked is an error that was a panic in another goroutine.
type panicked struct{ what any }

func (panicked) Error() string { return "panic" }

// caught makes a panic an error.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = panicked{p}
	}
}

// failed makes an error a panic again, if it was one.
func failed(err error) error {
	if p, was := err.(panicked); was {
		panic(p.what)
	}
	return err
}
