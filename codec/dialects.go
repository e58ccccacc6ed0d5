package codec

import (
	"embed"
	"sync"
)

//go:embed dialects/*.txt
var dialectTexts embed.FS

var (
	unionPay      = sync.OnceValue(func() *Spec { return mustParse("unionpay") })
	iso1987ASCII  = sync.OnceValue(func() *Spec { return mustParse("iso1987-ascii") })
	iso1987BCD    = sync.OnceValue(func() *Spec { return mustParse("iso1987-bcd") })
	iso1993ASCII  = sync.OnceValue(func() *Spec { return mustParse("iso1993-ascii") })
	iso1993Binary = sync.OnceValue(func() *Spec { return mustParse("iso1993-binary") })
	iso2003ASCII  = sync.OnceValue(func() *Spec { return mustParse("iso2003-ascii") })
)

// UnionPay is the dialect of UnionPay direct-connect terminals. The value is
// shared and never changes; what a host does differently is said with With.
func UnionPay() *Spec { return unionPay() }

// ISO1987ASCII is ISO 8583:1987 with everything in ASCII.
func ISO1987ASCII() *Spec { return iso1987ASCII() }

// ISO1987BCD is ISO 8583:1987 with BCD numbers and binary bitmaps.
func ISO1987BCD() *Spec { return iso1987BCD() }

// ISO1993ASCII is ISO 8583:1993 with everything in ASCII.
func ISO1993ASCII() *Spec { return iso1993ASCII() }

// ISO1993Binary is ISO 8583:1993 with BCD numbers and binary bitmaps.
func ISO1993Binary() *Spec { return iso1993Binary() }

// ISO2003ASCII is a beginning for a dialect of ISO 8583:2003, in ASCII: the
// shapes that are public, over those of 1993.
func ISO2003ASCII() *Spec { return iso2003ASCII() }

// Dialects gives the dialects that ship with the package.
func Dialects() []*Spec {
	return []*Spec{UnionPay(), ISO1987ASCII(), ISO1987BCD(), ISO1993ASCII(), ISO1993Binary(), ISO2003ASCII()}
}

// DialectText gives the table of a dialect that ships with the package, by its
// name, to read beside an acquirer's document or to begin one's own from. It
// reports false if there is none of that name.
func DialectText(name string) (string, bool) {
	b, err := dialectTexts.ReadFile("dialects/" + name + ".txt")
	return string(b), err == nil
}

// mustParse reads a table that ships with the package and that its tests hold
// to be right.
func mustParse(name string) *Spec {
	text, _ := DialectText(name)
	s, err := ParseSpec(text)
	if err != nil {
		panic(err)
	}
	return s
}
