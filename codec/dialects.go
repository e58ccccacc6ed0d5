package codec

import (
	_ "embed"
	"sync"
)

//go:embed dialects/unionpay.txt
var unionPayText string

var unionPay = sync.OnceValue(func() *Spec { return mustParse(unionPayText) })

// UnionPay is the dialect of UnionPay direct-connect terminals. The value is
// shared and never changes; what a host does differently is said with With.
func UnionPay() *Spec { return unionPay() }

// mustParse reads a table that ships with the package and that its tests hold
// to be right.
func mustParse(text string) *Spec {
	s, err := ParseSpec(text)
	if err != nil {
		panic(err)
	}
	return s
}
