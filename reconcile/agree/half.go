package agree

import (
	"fmt"
	"iter"
)

// Half is what one side holds of one journal: a Leaf by sequence, with the
// Merkle tree over them, in some 25 bytes of memory for each sequence of a
// dense journal. Its zero value is empty and ready. A Half is not safe for
// concurrent use: its tree is brought up to date by those who read it.
type Half struct {
	root    *node
	highest uint64
	seen    int
}

// node is one of the tree: over leaves at level 1, over nodes above.
type node struct {
	hash   Leaf
	clean  bool // hash is of what is beneath
	seen   uint16
	leaves *[fan]Leaf
	kids   *[fan]*node
}

func newNode(level int) *node {
	if level == 1 {
		return &node{leaves: new([fan]Leaf)}
	}
	return &node{kids: new([fan]*node)}
}

// slot is which child of a node of that level leads to seq.
func slot(seq uint64, level int) int { return int(seq >> (4 * (level - 1)) & (fan - 1)) }

// Set records what stands at seq; the zero Leaf: that seq was seen, and nothing
// stands there. The error is for a seq that is 0 or above MaxSequence.
func (h *Half) Set(seq uint64, l Leaf) error {
	if seq == 0 || seq > MaxSequence {
		return fmt.Errorf("sequence %d cannot be compared: the last one that can is %d", seq, uint64(MaxSequence))
	}
	if h.root == nil {
		h.root = newNode(levels)
	}
	n := h.root
	n.clean = false
	for level := levels; level > 1; level-- {
		next := &n.kids[slot(seq, level)]
		if *next == nil {
			*next = newNode(level - 1)
		}
		n = *next
		n.clean = false
	}
	i := slot(seq, 1)
	n.leaves[i] = l
	if n.seen&(1<<i) == 0 {
		n.seen |= 1 << i
		h.seen++
	}
	h.highest = max(h.highest, seq)
	return nil
}

// Highest is the highest sequence that was set, 0 when none was.
func (h *Half) Highest() uint64 { return h.highest }

// Len is how many sequences were set.
func (h *Half) Len() int { return h.seen }

// page returns the node over the leaf of seq, or nil.
func (h *Half) page(seq uint64) *node {
	if h.root == nil || seq > MaxSequence {
		return nil
	}
	n := h.root
	for level := levels; level > 1 && n != nil; level-- {
		n = n.kids[slot(seq, level)]
	}
	return n
}

// Leaf returns what stands at seq.
func (h *Half) Leaf(seq uint64) Leaf {
	if n := h.page(seq); n != nil {
		return n.leaves[slot(seq, 1)]
	}
	return Leaf{}
}

// Seen tells whether seq was set, be it to nothing.
func (h *Half) Seen(seq uint64) bool {
	n := h.page(seq)
	return n != nil && n.seen&(1<<slot(seq, 1)) != 0
}

// Root is the Merkle root over the sequences 1 to upTo, whatever stands behind.
func (h *Half) Root(upTo uint64) Leaf {
	kids := children(h.root, levels, 0, upTo)
	return nodeHash(levels, &kids)
}

// sum brings the hashes beneath n up to date and returns its own.
func (n *node) sum(level int) Leaf {
	if n == nil {
		return Leaf{}
	}
	if n.clean {
		return n.hash
	}
	kids := n.leaves
	if level > 1 {
		kids = new([fan]Leaf)
		for i, k := range n.kids {
			kids[i] = k.sum(level - 1)
		}
	}
	n.hash, n.clean = nodeHash(level, kids), true
	return n.hash
}

// children are the hashes, or leaves, beneath a node whose first leaf is first,
// with all behind upTo absent.
func children(n *node, level int, first, upTo uint64) (kids [fan]Leaf) {
	if n == nil {
		return kids
	}
	width := uint64(1) << (4 * (level - 1)) // leaves beneath a child
	for i := range kids {
		from := first + uint64(i)*width
		switch {
		case from > upTo:
			return kids
		case level == 1:
			kids[i] = n.leaves[i]
		case from+width-1 <= upTo:
			kids[i] = n.kids[i].sum(level - 1)
		default:
			below := children(n.kids[i], level-1, from, upTo)
			kids[i] = nodeHash(level-1, &below)
		}
	}
	return kids
}

// at returns the node of a level that stands at an index of it, or nil.
func (h *Half) at(level int, index uint64) *node {
	n := h.root
	for l := levels; l > level && n != nil; l-- {
		n = n.kids[index>>(4*(l-1-level))&(fan-1)]
	}
	return n
}

// pages yields the nodes over the leaves in ascending order, with the sequence
// of each one's first leaf.
func (h *Half) pages(yield func(first uint64, n *node) bool) { h.root.walk(levels, 0, yield) }

func (n *node) walk(level int, first uint64, yield func(uint64, *node) bool) bool {
	if n == nil {
		return true
	}
	if level == 1 {
		return yield(first, n)
	}
	for i, k := range n.kids {
		if !k.walk(level-1, first+uint64(i)<<(4*(level-1)), yield) {
			return false
		}
	}
	return true
}

// standing yields what stands at 1 to upTo, in ascending order.
func (h *Half) standing(upTo uint64, yield func(seq uint64, l *Leaf) bool) {
	h.pages(func(first uint64, n *node) bool {
		for i := range n.leaves {
			seq := first + uint64(i)
			if seq > upTo {
				return false
			}
			if n.leaves[i] != (Leaf{}) && !yield(seq, &n.leaves[i]) {
				return false
			}
		}
		return true
	})
}

// All yields every sequence that was set, ascending, with what stands there. h
// must not change meanwhile.
func (h *Half) All() iter.Seq2[uint64, Leaf] {
	return func(yield func(uint64, Leaf) bool) {
		h.pages(func(first uint64, n *node) bool {
			for i := range n.leaves {
				if n.seen&(1<<i) != 0 && !yield(first+uint64(i), n.leaves[i]) {
					return false
				}
			}
			return true
		})
	}
}

// clone returns a copy that shares nothing.
func (h *Half) clone() *Half {
	return &Half{root: h.root.clone(), highest: h.highest, seen: h.seen}
}

func (n *node) clone() *node {
	if n == nil {
		return nil
	}
	out := &node{hash: n.hash, clean: n.clean, seen: n.seen}
	if n.leaves != nil {
		leaves := *n.leaves
		out.leaves = &leaves
		return out
	}
	out.kids = new([fan]*node)
	for i, k := range n.kids {
		out.kids[i] = k.clone()
	}
	return out
}
