package isolink

import (
	"context"
	"fmt"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
)

// SendTotals tells the host the totals t of the batch b (0500) and returns what
// it says of inland and foreign cards. A host that cannot compare, for it has no
// such batch, says queue.BalanceError.
//
// Errors: a *LineError, also where the host refuses (its Code), an *AnswerError,
// ErrClosed, an error of Numbers, totals that do not fit DE 48 (999 per count).
// After any error it is unknown whether the host got it; calling again is safe.
func (l *Link) SendTotals(ctx context.Context, b queue.Batch, t queue.Totals) (inland, foreign queue.Balance, err error) {
	if t.Currency == 0 {
		t.Currency = queue.CNY // an empty batch
	}
	if l.opts.Style != UnionPay {
		said, err := l.reconcile(ctx, b, t)
		return said, said, err
	}
	totals := codec.Totals48{Inland: group(t.Inland), Foreign: group(t.Foreign)}
	in, err := l.batchMessage(ctx, b, mtiSettle, codec.NetBatch, func(f *fields) {
		f.value(48, totals)
		f.set(49, t.Currency.Numeric())
		f.value(63, codec.Private63{Code: pad(l.opts.Operator, 3)})
	})
	if err != nil {
		return 0, 0, err
	}
	text, has := in.m.Text(48)
	said, err := codec.ParseTotals48(text)
	if code, ok := in.m.Text(39); ok && (!has || err != nil || said.Inland.Verdict == codec.VerdictNone) {
		if in.left {
			return queue.BalanceError, queue.BalanceError, nil
		}
		return 0, 0, &LineError{During: mtiSettle.String(), Reason: refusal(l.opts.Codes(code)), Code: code}
	}
	if err != nil {
		return 0, 0, &AnswerError{Type: in.m.Type(), DE: 48, Err: err}
	}
	inland, foreign = balance(totals.Inland, said.Inland), balance(totals.Foreign, said.Foreign)
	if inland == 0 || foreign == 0 {
		return 0, 0, &AnswerError{Type: in.m.Type(), DE: 48}
	}
	return inland, foreign, nil
}

func group(s queue.Sums) codec.GroupTotals {
	return codec.GroupTotals{DebitAmount: s.Debit, DebitCount: s.DebitCount, CreditAmount: s.Credit, CreditCount: s.CreditCount}
}

// balance is what the host said of a group. A host that says "balanced" beside
// other figures than it was told speaks of something else: they are no zeros,
// which stand where a host repeats no figures.
func balance(told, said codec.GroupTotals) queue.Balance {
	switch said.Verdict {
	case codec.VerdictBalanced:
		figures := said
		figures.Verdict, told.Verdict = 0, 0
		if figures != (codec.GroupTotals{}) && figures != told {
			return queue.NotBalanced
		}
		return queue.Balanced
	case codec.VerdictUnbalanced:
		return queue.NotBalanced
	case codec.VerdictError:
		return queue.BalanceError
	}
	return 0
}

// SendDetail uploads the entry e of the batch b (0320): a request for a sale as
// an item of a group of one, everything else with its own fields and trace
// number, since an item does not say what it is. Approved: it was missing and is
// booked now. Duplicate: it is there and equal. Refused: the host will not have
// it, for it has something else. There is no other verdict.
//
// Errors: as of SendTotals, also for codes that speak of the session or the
// message, not of the entry (03 12 25 30 97 A7 and the temporary ones), and an
// entry that cannot be expressed, of which nothing was sent
// (queue.ErrUnsendable).
//
// Hosts of ISO 8583 have no upload: they are told the entry by an advice of its
// own identity, which they book or know (94, 913).
func (l *Link) SendDetail(ctx context.Context, b queue.Batch, e queue.Entry) (queue.Answer, error) {
	if l.opts.Style != UnionPay {
		return l.adviseDetail(ctx, e)
	}
	if e.Op == queue.Sale && e.Kind == queue.Request {
		item, err := l.detail(e)
		if err != nil {
			return queue.Answer{}, notSent(err)
		}
		in, err := l.batchMessage(ctx, b, mtiUpload, codec.NetBatch, func(f *fields) { f.value(48, codec.Details48{item}) })
		return l.coded(in, err, ofEntry)
	}
	m, err := l.detailMessage(b, e)
	if err != nil {
		return queue.Answer{}, fmt.Errorf("detail of entry %d: %w", e.ID, err)
	}
	in, err := l.manage(ctx, func(context.Context) (*codec.Message, error) { return m, nil })
	return l.coded(in, err, ofEntry)
}

// DetailRank is in which round of an upload an entry's detail goes: first what was
// sold offline, then what was asked online, then refunds.
func (l *Link) DetailRank(e queue.Entry) int {
	switch {
	case l.opts.Style != UnionPay:
		return 0
	case e.Op == queue.Refund:
		return 2
	case e.Kind == queue.Request:
		return 1
	}
	return 0
}

// detailMessage is an entry's own message as an upload has it: without PIN,
// tracks and MAC, and with no word about a PIN in DE 22.
func (l *Link) detailMessage(b queue.Batch, e queue.Entry) (*codec.Message, error) {
	if e.Kind == queue.Reversal {
		return nil, missing("a reversal is not uploaded")
	}
	e.HostBatch = b.HostBatch
	m, err := l.entryMessage(e)
	if err != nil {
		return nil, err
	}
	m.SetType(mtiUpload)
	for _, de := range []int{26, 35, 36, 52, 53} {
		m.Unset(de)
	}
	if mode, _ := m.Text(22); mode != "000" {
		err = m.Set(22, mode[:2]+"2")
	}
	return m, err
}

func (l *Link) detail(e queue.Entry) (d codec.Detail48, err error) {
	pan := e.Card.PAN.Reveal()
	if pan == "" {
		pan = "0" // a payment code, or a card whose number is forgotten
	}
	d = codec.Detail48{Foreign: l.Foreign(e), STAN: int(e.STAN), Amount: e.Amount.Minor}
	d.PAN, err = codec.NewPAN(pan)
	return d, err
}

// EndBatch tells the host (0320) that the upload of b has come to its end,
// balanced or not, with so many records. Approved: the batch is closed and both
// sides agree. Refused (code 95): it is closed and they do not. Duplicate: it was
// closed before. After each the link signs in anew before the next entry, for
// the new batch number. NotFound: the host has left the batch, as of SendDetail,
// which it does where an answer to this message was lost.
//
// Errors: as of SendTotals; with any other code the batch is not closed.
//
// Hosts of ISO 8583 have no such message: what this link has told of the batch is
// told again, as by EndTotals. A link that was made since has told nothing:
// errors.ErrUnsupported.
func (l *Link) EndBatch(ctx context.Context, b queue.Batch, balanced bool, records int) (queue.Answer, error) {
	if l.opts.Style != UnionPay {
		return l.endTold(ctx, b, balanced)
	}
	code := codec.NetBatchEnd
	if balanced {
		code = codec.NetBatchEndEqual
	}
	in, err := l.batchMessage(ctx, b, mtiUpload, code, func(f *fields) { f.value(48, codec.UploadCount48(records)) })
	return l.coded(in, err, ofBatch)
}

// batchMessage sends a message about b under a trace number of its own.
func (l *Link) batchMessage(ctx context.Context, b queue.Batch, t codec.MTI, code int, fill func(*fields)) (incoming, error) {
	return l.numbered(ctx, t, func(stan queue.STAN) *fields {
		f := l.networkMessage(t, stan, b.HostBatch, code)
		fill(f)
		return f
	})
}

// numbered sends what build makes with a trace number of its own.
func (l *Link) numbered(ctx context.Context, t codec.MTI, build func(queue.STAN) *fields) (incoming, error) {
	return l.manage(ctx, func(ctx context.Context) (*codec.Message, error) {
		stan, err := l.numbers.NextSTAN(ctx, l.lane)
		if err != nil {
			return nil, fmt.Errorf("%s: no trace number: %w", t, err)
		}
		f := build(stan)
		if f.err != nil {
			return nil, notSent(f.err)
		}
		return f.m, nil
	})
}

// manage gets the line ready, sends the message that build returns, and heeds
// its answer. After the answer that ends a batch a sign-in is needed.
func (l *Link) manage(ctx context.Context, build func(context.Context) (*codec.Message, error)) (incoming, error) {
	ctx, done, err := l.begin(ctx)
	if err != nil {
		return incoming{}, err
	}
	defer done()
	if err := l.ready(ctx); err != nil {
		return incoming{}, err
	}
	m, err := build(ctx)
	if err != nil {
		return incoming{}, err
	}
	connecting, cancel := context.WithTimeout(ctx, l.opts.LineTimeout)
	defer cancel()
	c, err := l.connect(connecting)
	if err != nil {
		return incoming{}, l.whyEnded(err)
	}
	answering, cancel := context.WithTimeout(ctx, l.answerTime())
	defer cancel()
	session := l.current()
	in, err := l.ask(answering, c, m)
	if err != nil {
		return in, err
	}
	code, _ := in.m.Text(39)
	in.left = code == "77" && l.left(batchOf(m), session)
	l.heed(in, session.n, code, in.left)
	if endsBatch(m) && ofBatch(l.opts.Codes(code)) {
		l.batchEnded(ctx, code)
	}
	return in, nil
}

// batchEnded lets the next Prepare sign in for the new batch number, and signs
// off where that is wanted. The batch is closed whatever comes of it.
func (l *Link) batchEnded(ctx context.Context, code string) {
	l.tell(Event{Kind: BatchEnded, Batch: l.current().line.HostBatch, Code: code})
	if l.signsOff() {
		_ = l.signOff(ctx) // told as an event
	}
	l.leave()
}

// left tells whether a 77 to a message about a batch says that the host has left
// that batch: the sign-in that holds brought another number, and it came after
// such a 77, which could have asked for it.
func (l *Link) left(batch int, s session) bool {
	if batch == 0 || s.line.HostBatch == 0 || uint32(batch) == s.line.HostBatch {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.doubted.batch != batch {
		l.doubted = doubted{batch, s.n}
	}
	return s.n > l.doubted.session
}

// doubted is the batch that the host would not speak of, first in which session.
type doubted struct{ batch, session int }

// batchOf is the batch number in a message, 0 where it has none.
func batchOf(m *codec.Message) int {
	text, _ := m.Text(60)
	p, err := codec.ParsePrivate60(text)
	if err != nil {
		return 0
	}
	return p.Batch
}

func endsBatch(m *codec.Message) bool {
	if m.Type() != mtiUpload {
		return false
	}
	text, _ := m.Text(60)
	p, err := codec.ParsePrivate60(text)
	return err == nil && (p.Network == codec.NetBatchEnd || p.Network == codec.NetBatchEndEqual)
}

// ofEntry tells whether a code speaks of the entry that was uploaded.
func ofEntry(r codec.Response) bool {
	return !r.Temporary() && r.Class != codec.NotFound && r.Next != codec.Fault && refusal(r) != TerminalUnknown
}

// ofBatch tells whether a code speaks of the batch that was ended.
func ofBatch(r codec.Response) bool {
	return r.Class == codec.Approved || r.Class == codec.Mismatch || r.Class == codec.Duplicate
}

// coded is what an answer without a MAC says by its code, where that speaks of
// what was asked.
func (l *Link) coded(in incoming, err error, speaks func(codec.Response) bool) (queue.Answer, error) {
	if err != nil {
		return queue.Answer{}, err
	}
	code, ok := in.m.Text(39)
	if !ok {
		return queue.Answer{}, &AnswerError{Type: in.m.Type(), DE: 39}
	}
	if in.left {
		return queue.Answer{Verdict: queue.NotFound, Code: code}, nil
	}
	if r := l.opts.Codes(code); !speaks(r) {
		return queue.Answer{}, &LineError{During: mtiUpload.String(), Reason: refusal(r), Code: code}
	}
	return l.answer(in.m, code), nil
}
