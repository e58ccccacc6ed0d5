package wire

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// Entry is an entry as a host is told of it: all that its canonical digest is
// taken over, the host's batch number, what is known of its original and, only
// where the link was told to send it, the card's data.
type Entry struct {
	Key    Key
	Seq    queue.ID // in its journal, from 1
	Kind   queue.Kind
	Op     queue.Op
	Tender queue.Tender // 0 for a Report
	Ref    string       // 1 to 64 bytes
	STAN   queue.STAN
	Amount queue.Money // zero for a Report
	// Time is when the payment was taken, to the millisecond and with the zone it
	// was taken in.
	Time time.Time
	// Original is the sequence of the entry that a Void, a Refund or a Reversal is
	// about, in the same journal; 0 for others.
	Original queue.ID
	Of       *Original    // what else is known of it; of a Reversal: of what its original was about
	Reason   queue.Reason // of a Reversal
	// HostBatch is the host's batch number; 0 where it has none.
	HostBatch uint32
	Approval  string // of a card taken offline, up to 6 bytes
	EntryMode string // up to 3 bytes
	Operator  string // up to 16 bytes
	MaskedPAN string // at most ten of its digits are shown
	// Data is the app's own, up to 4096 bytes. Where it is withheld DataHash is its
	// SHA-256 instead.
	Data     []byte
	DataHash *[sha256.Size]byte
	Card     *Card
}

// Original is what a device knows of the entry that another is about.
type Original struct {
	STAN      queue.STAN // 0: not known
	HostBatch uint32
	RRN       string // up to 24 bytes
	AuthCode  string // up to 12 bytes
	Time      time.Time
}

// Card is what a host that authorises needs of the card. It is never part of a
// Fingerprint and must not be kept longer than the host's rules for cards allow.
type Card struct {
	PAN      queue.Secret // 8 to 19 digits
	Expiry   queue.Secret // YYMM
	Sequence string       // up to 3 digits
	Track2   queue.Secret
	Track3   queue.Secret
	ICC      queue.Secret // raw bytes of DE 55
	PayCode  queue.Secret
	PINBlock queue.Secret // raw bytes, up to 16
}

// The names on the wire, by the values of package queue.
var (
	kinds   = []string{"", "request", "advice", "reversal", "notice"}
	ops     = []string{"", "sale", "void", "refund", "report"}
	tenders = []string{"", "card", "qr", "cash"}
	reasons = []string{"", "no answer", "bad MAC", "fault", "other"}
)

type entryJSON struct {
	Key       string        `json:"key,omitempty"`
	Seq       uint64        `json:"seq"`
	Kind      string        `json:"kind"`
	Op        string        `json:"op"`
	Tender    string        `json:"tender,omitempty"`
	Ref       string        `json:"ref"`
	STAN      uint32        `json:"stan"`
	Amount    int64         `json:"amount,omitempty"`
	Currency  string        `json:"currency,omitempty"`
	Time      string        `json:"time"`
	Original  uint64        `json:"original,omitempty"`
	Of        *originalJSON `json:"of,omitempty"`
	Reason    string        `json:"reason,omitempty"`
	HostBatch uint32        `json:"batch,omitempty"`
	Approval  string        `json:"approval,omitempty"`
	EntryMode string        `json:"mode,omitempty"`
	Operator  string        `json:"operator,omitempty"`
	MaskedPAN string        `json:"pan,omitempty"`
	Data      string        `json:"data,omitempty"`
	DataHash  string        `json:"dataHash,omitempty"`
	Card      *cardJSON     `json:"card,omitempty"`
}

type originalJSON struct {
	STAN      uint32 `json:"stan,omitempty"`
	HostBatch uint32 `json:"batch,omitempty"`
	RRN       string `json:"rrn,omitempty"`
	AuthCode  string `json:"auth,omitempty"`
	Time      string `json:"time,omitempty"`
}

type cardJSON struct {
	PAN      string `json:"pan,omitempty"`
	Expiry   string `json:"expiry,omitempty"`
	Sequence string `json:"sequence,omitempty"`
	Track2   string `json:"track2,omitempty"`
	Track3   string `json:"track3,omitempty"`
	ICC      string `json:"icc,omitempty"`
	PayCode  string `json:"payCode,omitempty"`
	PINBlock string `json:"pinBlock,omitempty"`
}

func (e Entry) json() entryJSON {
	j := entryJSON{Seq: uint64(e.Seq), Kind: kinds[e.Kind], Op: ops[e.Op], Tender: tenders[e.Tender], Ref: e.Ref,
		STAN: uint32(e.STAN), Amount: e.Amount.Minor, Currency: currencyText(e.Amount.Currency), Time: timeText(e.Time), Original: uint64(e.Original),
		Reason: reasons[e.Reason], HostBatch: e.HostBatch, Approval: e.Approval, EntryMode: e.EntryMode,
		Operator: e.Operator, MaskedPAN: e.MaskedPAN, Data: base64.StdEncoding.EncodeToString(e.Data)}
	if o := e.Of; o != nil {
		j.Of = &originalJSON{uint32(o.STAN), o.HostBatch, o.RRN, o.AuthCode, timeText(o.Time)}
	}
	if e.DataHash != nil {
		j.DataHash = base64.StdEncoding.EncodeToString(e.DataHash[:])
	}
	return j
}

func (c *Card) json() *cardJSON {
	if c == nil {
		return nil
	}
	raw := func(s queue.Secret) string { return base64.StdEncoding.EncodeToString([]byte(s.Reveal())) }
	return &cardJSON{c.PAN.Reveal(), c.Expiry.Reveal(), c.Sequence, c.Track2.Reveal(), c.Track3.Reveal(),
		raw(c.ICC), c.PayCode.Reveal(), raw(c.PINBlock)}
}

func currencyText(c queue.Currency) string {
	if c == 0 {
		return ""
	}
	return c.Numeric()
}

const timeForm = "2006-01-02T15:04:05.000Z07:00"

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(timeForm)
}

func readTime(r *reader) time.Time {
	s := r.text(len(timeForm) + 5)
	t, err := time.Parse(timeForm, s)
	if r.err == nil && (err != nil || t.IsZero() || timeText(t) != s) {
		r.fail("is not a time as in 2006-01-02T15:04:05.000+08:00")
	}
	return zoned(t)
}

// clock reads a time of the host's: RFC 3339 in any precision.
func (r *reader) clock() time.Time {
	t, err := time.Parse(time.RFC3339Nano, r.text(40))
	if r.err == nil && (err != nil || t.IsZero()) {
		r.fail("is not a time of RFC 3339")
	}
	return zoned(t)
}

// zoned gives t a zone of whole minutes that does not depend on the device.
func zoned(t time.Time) time.Time {
	_, offset := t.Zone()
	if offset /= 60; offset == 0 {
		return t.UTC()
	}
	return t.In(time.FixedZone("", offset*60))
}

func (r *reader) entry() (e Entry) {
	r.object(func(name string) bool {
		switch name {
		case "key":
			e.Key = r.id()
		case "seq":
			e.Seq = queue.ID(r.number(1, maxNumber))
		case "kind":
			e.Kind = queue.Kind(r.choice(kinds))
		case "op":
			e.Op = queue.Op(r.choice(ops))
		case "tender":
			e.Tender = queue.Tender(r.choice(tenders))
		case "ref":
			e.Ref = r.text(64)
		case "stan":
			e.STAN = queue.STAN(r.number(1, maxSTAN))
		case "amount":
			e.Amount.Minor = int64(r.number(1, maxAmount))
		case "currency":
			e.Amount.Currency = r.currency()
		case "time":
			e.Time = readTime(r)
		case "original":
			e.Original = queue.ID(r.number(1, maxNumber))
		case "of":
			e.Of = r.original()
		case "reason":
			e.Reason = queue.Reason(r.choice(reasons))
		case "batch":
			e.HostBatch = uint32(r.number(1, maxBatch))
		default:
			return r.entryText(name, &e)
		}
		return true
	})
	return e
}

func (r *reader) entryText(name string, e *Entry) bool {
	switch name {
	case "approval":
		e.Approval = r.text(6)
	case "mode":
		e.EntryMode = r.text(3)
	case "operator":
		e.Operator = r.text(16)
	case "pan":
		e.MaskedPAN = r.text(19)
	case "data":
		e.Data = r.base64(maxData)
	case "dataHash":
		b := r.base64(sha256.Size)
		if r.err == nil && len(b) != sha256.Size {
			r.fail("has %d bytes, not %d", len(b), sha256.Size)
		}
		if r.err == nil {
			e.DataHash = (*[sha256.Size]byte)(b)
		}
	case "card":
		e.Card = r.card()
	default:
		return false
	}
	return true
}

const (
	maxSTAN   = 999_999
	maxAmount = 999_999_999_999
	maxBatch  = 1<<32 - 1
	maxData   = 4096
)

func (r *reader) currency() queue.Currency {
	s := r.text(3)
	n, err := strconv.ParseUint(s, 10, 16)
	if r.err == nil && (err != nil || n == 0 || len(s) != 3) {
		r.fail("is not an ISO 4217 code of three digits")
	}
	return queue.Currency(n)
}

func (r *reader) original() *Original {
	o := new(Original)
	r.object(func(name string) bool {
		switch name {
		case "stan":
			o.STAN = queue.STAN(r.number(1, maxSTAN))
		case "batch":
			o.HostBatch = uint32(r.number(1, maxBatch))
		case "rrn":
			o.RRN = r.text(24)
		case "auth":
			o.AuthCode = r.text(12)
		case "time":
			o.Time = readTime(r)
		default:
			return false
		}
		return true
	})
	return o
}

func (r *reader) card() *Card {
	c := new(Card)
	secret := func(most int) queue.Secret { return queue.NewSecret(r.text(most)) }
	raw := func(most int) queue.Secret { return queue.NewSecret(string(r.base64(most))) }
	r.object(func(name string) bool {
		switch name {
		case "pan":
			c.PAN = secret(19)
		case "expiry":
			c.Expiry = secret(4)
		case "sequence":
			c.Sequence = r.text(3)
		case "track2":
			c.Track2 = secret(37)
		case "track3":
			c.Track3 = secret(104)
		case "icc":
			c.ICC = raw(999)
		case "payCode":
			c.PayCode = secret(64)
		case "pinBlock":
			c.PINBlock = raw(16)
		default:
			return false
		}
		return true
	})
	return c
}

// Canonical appends the canonical bytes of e, as package queue lays them down,
// to dst. in is the journal and the lane that e belongs to.
func (e Entry) Canonical(dst []byte, in Submission) []byte {
	be := binary.BigEndian
	_, zone := e.Time.Zone()
	dst = append(dst, "TSE1"...)
	dst = append(dst, in.Journal[:]...)
	dst = be.AppendUint64(dst, uint64(e.Seq))
	dst = append(dst, byte(e.Kind), byte(e.Op), byte(e.Tender), byte(e.Reason))
	dst = be.AppendUint32(dst, uint32(e.STAN))
	dst = be.AppendUint64(dst, uint64(e.Amount.Minor))
	dst = be.AppendUint16(dst, uint16(e.Amount.Currency))
	dst = be.AppendUint64(dst, uint64(e.Original))
	dst = be.AppendUint64(dst, uint64(e.Time.UnixMilli()))
	dst = be.AppendUint16(dst, uint16(int16(zone/60)))
	data := sha256.Sum256(e.Data)
	if e.DataHash != nil {
		data = *e.DataHash
	}
	dst = append(dst, data[:]...)
	for _, s := range []string{e.Ref, in.Lane.Host, in.Lane.Merchant, in.Lane.Terminal, e.Approval, e.EntryMode, e.Operator, e.MaskedPAN} {
		dst = be.AppendUint16(dst, uint16(len(s)))
		dst = append(dst, s...)
	}
	return dst
}

// Digest is SHA-256 over the canonical bytes: what receipts and Merkle leaves are
// taken over. It equals queue.Queue.Digest of the same entry.
func (e Entry) Digest(in Submission) [sha256.Size]byte {
	return sha256.Sum256(e.Canonical(nil, in))
}

// Fingerprint is what two requests with one key must have the same: the digest
// and the host's batch number. It holds nothing of the card but its masked number,
// so that it may be kept.
func (e Entry) Fingerprint(in Submission) [sha256.Size]byte {
	digest := e.Digest(in)
	return sha256.Sum256(binary.BigEndian.AppendUint32(digest[:], e.HostBatch))
}

// check tells the first rule that e breaks, naming the member.
func (e Entry) check() (member, problem string) {
	about := e.Op == queue.Void || e.Op == queue.Refund || e.Kind == queue.Reversal
	money := e.Op != queue.Report
	for _, rule := range []struct {
		broken          bool
		member, problem string
	}{
		{e.Seq < 1 || e.Seq > maxNumber, "seq", "is required, from 1"},
		{e.Kind < 1 || int(e.Kind) >= len(kinds), "kind", "is required"},
		{e.Op < 1 || int(e.Op) >= len(ops), "op", "is required"},
		{int(e.Tender) >= len(tenders) || money != (e.Tender != 0), "tender", "is required where money moves, and only there"},
		{int(e.Reason) >= len(reasons), "reason", "is not known"},
		{len(e.Ref) < 1 || len(e.Ref) > 64, "ref", "is required, 1 to 64 bytes"},
		{e.STAN < 1 || e.STAN > maxSTAN, "stan", "is required"},
		{money != (e.Amount.Minor != 0) || e.Amount.Minor < 0 || e.Amount.Minor > maxAmount, "amount", "is required where money moves, and only there"},
		{money != (e.Amount.Currency != 0) || e.Amount.Currency > 999, "currency", "is required where money moves, and only there"},
		{e.Time.IsZero() || timeText(e.Time) == "" || e.Time.Year() < 1970 || e.Time.Year() > 9999, "time", "is required, from 1970 on"},
		{about != (e.Original != 0) || e.Original > maxNumber, "original", "belongs to a void, a refund or a reversal, and is required there"},
		{e.Of != nil && !about, "of", "belongs to a void, a refund or a reversal"},
		{(e.Kind == queue.Reversal) != (e.Reason != 0), "reason", "belongs to a reversal, and is required there"},
		{!sendable(e.Kind, e.Op), "kind", "does not go with this op"},
		{len(e.Approval) > 6, "approval", "has more than 6 bytes"},
		{len(e.EntryMode) > 3, "mode", "has more than 3 bytes"},
		{len(e.Operator) > 16, "operator", "has more than 16 bytes"},
		{!masked(e.MaskedPAN), "pan", "is not masked"},
		{len(e.Data) > maxData || (len(e.Data) > 0 && e.DataHash != nil), "data", "is too long, or stands beside its hash"},
	} {
		if rule.broken {
			return rule.member, rule.problem
		}
	}
	return "", ""
}

func sendable(k queue.Kind, op queue.Op) bool {
	switch k {
	case queue.Request, queue.Reversal:
		return op == queue.Sale || op == queue.Void
	case queue.Advice:
		return op == queue.Sale || op == queue.Refund
	}
	return op == queue.Report
}

// masked tells whether s shows at most ten digits.
func masked(s string) bool {
	digits := 0
	for _, c := range s {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	return digits <= 10 && len(s) <= 19
}

// FromQueue makes the message's form of e without its card, and the journal that
// it belongs to: here, or, of an imported entry, its Origin.
func FromQueue(e queue.Entry, here JournalID) (Entry, JournalID) {
	out := Entry{Seq: e.ID, Kind: e.Kind, Op: e.Op, Tender: e.Tender, Ref: e.Ref, STAN: e.STAN, Amount: e.Amount,
		Time: zoned(e.Time), Original: e.Original, Reason: e.Reason, HostBatch: e.HostBatch, Approval: e.Approval,
		EntryMode: e.EntryMode, Operator: e.Operator, MaskedPAN: e.MaskedPAN, Data: e.Data}
	if e.Origin != (queue.Origin{}) {
		here, out.Seq, out.Original = e.Origin.Journal, e.Origin.ID, e.Origin.Original
		for _, of := range []string{"reversal of entry %d", "void of entry %d"} {
			if e.Ref == fmt.Sprintf(of, e.Original) {
				out.Ref = fmt.Sprintf(of, out.Original)
			}
		}
	}
	if o := e.Of; o != (queue.Original{}) {
		out.Of = &Original{STAN: o.STAN, HostBatch: o.HostBatch, RRN: o.RRN, AuthCode: o.AuthCode}
		if !o.Time.IsZero() {
			out.Of.Time = zoned(o.Time.Truncate(time.Millisecond))
		}
		if *out.Of == (Original{}) {
			out.Of = nil
		}
	}
	return out, here
}

// CardFromQueue makes the message's form of a card; nil of one that is empty.
func CardFromQueue(c queue.Card) *Card {
	out := Card(c)
	if out.PAN.IsZero() && out.Expiry.IsZero() && out.Sequence == "" && out.Track2.IsZero() && out.Track3.IsZero() &&
		out.ICC.IsZero() && out.PayCode.IsZero() && out.PINBlock.IsZero() {
		return nil
	}
	return &out
}

// WithholdData replaces Data by its hash; the digest stays the same.
func (e *Entry) WithholdData() {
	if len(e.Data) > 0 {
		sum := sha256.Sum256(e.Data)
		e.Data, e.DataHash = nil, &sum
	}
}
