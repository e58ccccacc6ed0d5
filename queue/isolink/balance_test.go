package isolink

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
)

// "Balanced" counts only of the figures that the host was told.
func TestBalancedOfOtherFiguresIsNotBalanced(t *testing.T) {
	told := codec.GroupTotals{DebitAmount: 150, DebitCount: 2, CreditAmount: 50, CreditCount: 1}
	for _, c := range []struct {
		said codec.GroupTotals
		want queue.Balance
	}{
		{codec.GroupTotals{DebitAmount: 150, DebitCount: 2, CreditAmount: 50, CreditCount: 1, Verdict: codec.VerdictBalanced}, queue.Balanced},
		{codec.GroupTotals{Verdict: codec.VerdictBalanced}, queue.Balanced},
		{codec.GroupTotals{DebitAmount: 100, DebitCount: 1, Verdict: codec.VerdictBalanced}, queue.NotBalanced},
		{codec.GroupTotals{DebitAmount: 150, DebitCount: 2, CreditAmount: 50, CreditCount: 1, Verdict: codec.VerdictUnbalanced}, queue.NotBalanced},
		{codec.GroupTotals{Verdict: codec.VerdictError}, queue.BalanceError},
		{codec.GroupTotals{}, 0},
	} {
		require.Equal(t, c.want, balance(told, c.said), "%+v", c.said)
	}
}
