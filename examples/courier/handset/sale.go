package handset

import (
	"context"
	"crypto/sha256"
	"errors"

	"github.com/tallystick/tallystick/queue"
)

// sale takes a payment. A ref that the journal has is told as it stands, unless
// nothing of it has left the device yet.
func sale(tender queue.Tender) func(*handset, context.Context, []string) error {
	return func(h *handset, ctx context.Context, args []string) error {
		if h.badRef(args[0]) {
			return nil
		}
		fen, err := parseFen(args[1])
		if err != nil {
			h.mistake(h.words.badAmount, clipped(args[1]))
			return nil
		}
		t := h.payment(args[0], tender, fen)
		asked := Answer{Ref: t.Ref, Op: queue.Sale.String(), Tender: tender.String(), Fen: fen}
		e, err := h.q.ByRef(ctx, t.Ref)
		switch {
		case err == nil && (e.Op != queue.Sale || e.Tender != tender || e.Amount != t.Amount):
			return h.tell(ctx, asked, e, queue.ErrConflict)
		case err == nil && (e.Kind != queue.Request || e.State != queue.Pending):
			return h.tell(ctx, asked, e, nil)
		case err != nil && !errors.Is(err, queue.ErrNotFound):
			return err
		}
		e, err = h.take(ctx, t)
		return h.tell(ctx, asked, e, err)
	}
}

// take takes a payment in the way of its tender: cash is journalled, a card and
// a code ask the host. Where there is no line a card goes on its chip's
// approval, and a code is given up.
func (h *handset) take(ctx context.Context, t queue.Transaction) (queue.Entry, error) {
	if t.Tender == queue.Cash {
		return h.q.Append(ctx, t)
	}
	e, err := h.request(ctx, t)
	if !errors.Is(err, queue.ErrNotSent) {
		return e, err
	}
	e, found := h.q.ByRef(ctx, t.Ref)
	switch {
	case found == nil && t.Tender == queue.QR:
		return h.q.Reverse(ctx, e.ID)
	case found == nil:
		return h.q.TakeOffline(ctx, e.ID, chipApproval)
	case !errors.Is(found, queue.ErrNotFound):
		return e, found
	case t.Tender == queue.QR:
		return queue.Entry{Transaction: t, Kind: queue.Request, State: queue.Cancelled}, nil
	}
	t.Approval = chipApproval
	return h.q.Append(ctx, t)
}

// chipApproval is tag 8A of a chip that approves offline.
const chipApproval = "Y1"

// Entry modes (DE 22): a chip read with its PIN pad at hand, a payment code,
// and no card at all.
const (
	modeChip = "051"
	modeCode = "032"
	modeCash = "000"
)

// payment is what a customer pays with: the same for the same ref.
func (h *handset) payment(ref string, tender queue.Tender, fen int64) queue.Transaction {
	t := queue.Transaction{
		Ref: ref, Lane: h.cards.lane, Op: queue.Sale, Tender: tender, Operator: h.cfg.Operator,
		Amount: queue.Money{Minor: fen, Currency: queue.CNY},
	}
	digest := sha256.Sum256([]byte(ref))
	switch tender {
	case queue.CardTender:
		t.EntryMode = modeChip
		t.Card = queue.Card{
			PAN:    queue.NewSecret(testCards[int(digest[0])%len(testCards)]),
			Expiry: queue.NewSecret("3012"),
			ICC:    queue.NewSecret(chip(digest)),
		}
	case queue.QR:
		t.EntryMode = modeCode
		t.Card = queue.Card{PayCode: queue.NewSecret(testCode)}
	default:
		t.Lane, t.EntryMode = h.cash.lane, modeCash
	}
	return t
}

// testCards are from ranges that the card organisations publish for tests, and
// testCode is a payment code of no wallet.
var testCards = []string{"6221558812340000", "6216261000000000018", "6221558812340000", "4111111111111111"}

const testCode = "6200000000000000018"

// chip is DE 55 as a test chip might give it: cryptogram (9F26), its kind
// (9F27), transaction counter (9F36).
func chip(digest [sha256.Size]byte) string {
	tlv := append([]byte{0x9f, 0x26, 8}, digest[1:9]...)
	tlv = append(tlv, 0x9f, 0x27, 1, 0x80, 0x9f, 0x36, 2)
	return string(append(tlv, digest[9:11]...))
}
