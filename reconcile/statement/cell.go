package statement

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/internal/mask"
)

// maxText is how many bytes a cell that is kept may have.
const maxText = 128

// line makes a Line of the cells; ok is false for a kind that is to be skipped.
func (d *decoder) line(cells []string, l *Line) (ok bool, err error) {
	credit, skipped, err := d.kind(cells, l)
	if err != nil || skipped {
		return false, err
	}
	if err := d.money(cells, l, credit); err != nil {
		return false, err
	}
	if err := d.names(cells, l); err != nil {
		return false, err
	}
	l.Time, err = d.time(cells)
	return true, err
}

// text is the cell of a field, checked.
func (d *decoder) text(cells []string, f field) (string, error) {
	i := d.columns[f]
	if i < 0 {
		return "", nil
	}
	s := clean(cells[i])
	switch {
	case len(s) > maxText:
		return "", d.fail(f, i, fmt.Sprintf("the cell has more than %d bytes", maxText))
	case !intact(s):
		return "", d.fail(f, i, "the cell is not text of the mapping's encoding; name the right one")
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", d.fail(f, i, "the cell has control characters")
	}
	return s, nil
}

// kind reads what the line is about. credit says that the merchant gives back.
func (d *decoder) kind(cells []string, l *Line) (credit, skipped bool, err error) {
	s, err := d.text(cells, kindField)
	if err != nil || d.columns[kindField] < 0 {
		return false, false, err
	}
	m, known := d.m.kinds[s]
	if !known {
		shown := ""
		if len([]rune(s)) <= 10 {
			shown = fmt.Sprintf(" %q", s)
		}
		return false, false, d.fail(kindField, d.columns[kindField], "the mapping does not say what the word"+shown+" means; add it, if need be as skip")
	}
	switch m {
	case sale:
		l.Op = queue.Sale
	case void:
		l.Op = queue.Void
	case refund:
		l.Op = queue.Refund
	case reversal:
		l.Reversal = true
	}
	return m == void || m == refund, m == skip, nil
}

// money reads the amount and the fee, which is what net leaves of it.
func (d *decoder) money(cells []string, l *Line, credit bool) error {
	amount, err := d.amount(cells, amountField)
	if err != nil {
		return err
	}
	// A kind tells the direction, whatever the sign; a reversal has the sign
	// of neither.
	flip := func(v int64) int64 { return v }
	if l.Op != 0 && credit != (amount < 0) {
		flip = func(v int64) int64 { return -v }
	}
	l.Amount = queue.Money{Minor: flip(amount), Currency: d.m.currency}
	switch {
	case d.columns[feeField] >= 0:
		l.Fee, err = d.amount(cells, feeField)
		return err
	case d.columns[netField] < 0:
		return nil
	}
	net, err := d.amount(cells, netField)
	if err != nil {
		return err
	}
	if net = flip(net); credit && net > 0 { // signed where the amount is not
		net = -net
	}
	l.Fee = l.Amount.Minor - net
	if (l.Amount.Minor < 0) != (net < 0) && (l.Fee < 0) != (l.Amount.Minor < 0) {
		return d.fail(netField, d.columns[netField], errLarge.Error())
	}
	return nil
}

func (d *decoder) amount(cells []string, f field) (int64, error) {
	s, err := d.text(cells, f)
	if err != nil || s == "" && f == feeField {
		return 0, err
	}
	n, err := parseAmount(s, d.m.decimals, d.m.minor[f])
	if err != nil {
		return 0, d.fail(f, d.columns[f], err.Error())
	}
	return n, nil
}

// names reads what names the transaction.
func (d *decoder) names(cells []string, l *Line) (err error) {
	for _, t := range [...]struct {
		f  field
		to *string
	}{{terminalField, &l.Terminal}, {merchantField, &l.Merchant}, {rrnField, &l.RRN}, {refField, &l.Ref}, {cardField, &l.Card}} {
		if *t.to, err = d.text(cells, t.f); err != nil {
			return err
		}
	}
	l.Card = mask.Card(l.Card)
	if shown := mask.Text(l.Ref); shown != l.Ref {
		l.refSum, l.Ref = sha256.Sum256([]byte(l.Ref)), shown
	}
	if shown := mask.Text(l.RRN); shown != l.RRN {
		l.rrnSum, l.RRN = sha256.Sum256([]byte(l.RRN)), shown
	}
	l.Terminal, l.Merchant = mask.Text(l.Terminal), mask.Text(l.Merchant)
	batch, err := d.number(cells, batchField)
	if err != nil {
		return err
	}
	stan, err := d.number(cells, stanField)
	l.HostBatch, l.STAN = batch, queue.STAN(stan)
	return err
}

// number reads one to six digits; an empty cell is 0.
func (d *decoder) number(cells []string, f field) (n uint32, err error) {
	s, err := d.text(cells, f)
	if err != nil {
		return 0, err
	}
	if len(s) > 6 || strings.Trim(s, "0123456789") != "" {
		return 0, d.fail(f, d.columns[f], "this is no number of up to six digits")
	}
	for i := range len(s) {
		n = n*10 + uint32(s[i]-'0')
	}
	return n, nil
}

func (d *decoder) time(cells []string) (time.Time, error) {
	date, err := d.text(cells, dateField)
	if err != nil {
		return time.Time{}, err
	}
	clock, err := d.text(cells, timeField)
	if err != nil {
		return time.Time{}, err
	}
	s := strings.TrimSpace(date + " " + clock)
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.ParseInLocation(d.layout, s, d.m.zone)
	if err == nil && t.Year() >= 0 && t.Year() <= 9999 {
		return t, nil
	}
	f := dateField
	if d.columns[f] < 0 {
		f = timeField
	}
	return time.Time{}, d.fail(f, d.columns[f], "this is not written like "+d.layout)
}
