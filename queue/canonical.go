package queue

import (
	"crypto/sha256"
	"encoding/binary"
)

// canonicalMagic names the layout; another layout gets another magic.
const canonicalMagic = "TSE1"

// Canonical appends the canonical bytes of e to dst: the same at every replay,
// on every device, laid out as the package documentation says. They hold what
// e was journalled with and nothing that an attempt, an answer or a batch
// changes. TakeOffline, which only what was never attempted undergoes, is part
// of journalling.
//
// An imported entry has those of the journal that it comes from; of a pruned
// one nothing is left but its Digest.
func (q *Queue) Canonical(dst []byte, e Entry) []byte {
	switch {
	case e.Pruned:
		return dst
	case e.Origin != Origin{}:
		journal := e.Origin.Journal
		e.Ref = renamed(e, e.Origin.Original)
		e.ID, e.Original = e.Origin.ID, e.Origin.Original
		return canonical(dst, journal, e)
	}
	return canonical(dst, q.JournalID(), e)
}

// Digest is SHA-256 over the canonical bytes of e: what receipts and Merkle
// leaves are taken over.
func (q *Queue) Digest(e Entry) [sha256.Size]byte {
	if e.Pruned {
		return e.digest
	}
	return sha256.Sum256(q.Canonical(nil, e))
}

// CanonicalOf appends the canonical bytes of an entry of the journal with that
// id to dst, for who was told of it and has no journal of his own: a host holds
// them, or their digest, against what the device says. e is not pruned.
func CanonicalOf(dst []byte, journal [16]byte, e Entry) []byte { return canonical(dst, journal, e) }

func canonical(dst []byte, journal [16]byte, e Entry) []byte {
	be := binary.BigEndian
	_, zone := e.Time.Zone()
	dst = append(dst, canonicalMagic...)
	dst = append(dst, journal[:]...)
	dst = be.AppendUint64(dst, uint64(e.ID))
	dst = append(dst, byte(e.Kind), byte(e.Op), byte(e.Tender), byte(e.Reason))
	dst = be.AppendUint32(dst, uint32(e.STAN))
	dst = be.AppendUint64(dst, uint64(e.Amount.Minor))
	dst = be.AppendUint16(dst, uint16(e.Amount.Currency))
	dst = be.AppendUint64(dst, uint64(e.Original))
	dst = be.AppendUint64(dst, uint64(e.Time.UnixMilli()))
	dst = be.AppendUint16(dst, uint16(int16(zone/60)))
	data := sha256.Sum256(e.Data)
	dst = append(dst, data[:]...)
	for _, s := range []string{e.Ref, e.Lane.Host, e.Lane.Merchant, e.Lane.Terminal, e.Approval, e.EntryMode, e.Operator, e.MaskedPAN} {
		dst = be.AppendUint16(dst, uint16(len(s)))
		dst = append(dst, s...)
	}
	return dst
}
