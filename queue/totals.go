package queue

// Sums are the counts and sums of one card group in a batch, in minor units.
// A debit is a sale; a credit is a void or a refund.
type Sums struct {
	DebitCount, CreditCount int
	Debit, Credit           int64
}

// Totals are what a settlement tells the host of a batch: inland cards and
// foreign ones apart, in one currency.
type Totals struct {
	Currency        Currency
	Inland, Foreign Sums
}

// Balance is what a host says of the totals it was told.
type Balance uint8

// The balances. The zero Balance is none: nothing was said.
const (
	Balanced     Balance = iota + 1 // the host's totals are the same (UnionPay 1)
	NotBalanced                     // they differ: the details are asked for (2)
	BalanceError                    // the host cannot say (3)
)

var balanceNames = [...]string{"none", "balanced", "not balanced", "error"}

func (b Balance) String() string { return name(balanceNames[:], int(b)) }
