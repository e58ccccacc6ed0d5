package codec

import (
	"embed"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Class is the kind of answer that a response code gives.
type Class uint8

const (
	Declined    Class = iota // refused for good
	Approved                 // done as asked
	Partial                  // approved for a part of the amount
	Refer                    // refused until the cardholder has called the issuer
	Capture                  // refused, and the card is to be kept
	Unavailable              // not processed now; the same message may go again later
	InProgress               // outcome unknown: may have been booked or not
	Duplicate                // the host already has it
	NotFound                 // the original is unknown: nothing to undo; for all but reversals a refusal
	SignIn                   // not processed until the terminal has signed in again
	Mismatch                 // the totals do not agree
)

var classNames = [...]string{
	"declined", "approved", "partial", "refer", "capture", "unavailable",
	"progress", "duplicate", "notfound", "signin", "mismatch",
}

// String gives the class in one word.
func (c Class) String() string { return nameOf(classNames[:], int(c)) }

// Next is what the machine does after a response code.
type Next uint8

const (
	Stop    Next = iota // show the sentence; nothing more to send
	Done                // finished
	Repeat              // send the same message again, later
	Enquire             // ask what became of it, or reverse it
	Resign              // sign in, then send again
	KeyPIN              // ask for the PIN and send a new transaction
	UseChip             // read the chip and send a new transaction
	Keep                // keep the card
	Upload              // upload the details of the batch
	Fault               // a fault of set-up or software: tell a technician
)

var nextNames = [...]string{
	"stop", "done", "repeat", "enquire", "signin", "pin", "chip", "capture", "upload", "fault",
}

// String gives the step in one word.
func (n Next) String() string { return nameOf(nextNames[:], int(n)) }

func nameOf(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return "unknown"
}

// Response is the meaning of a response code.
type Response struct {
	Code  string
	Class Class
	Next  Next
	Zh    string // one sentence for the cashier in Chinese
	En    string // the same in English
	Known bool   // the code is in the table
}

// Approved reports whether money moved: the class is Approved or Partial.
func (r Response) Approved() bool { return r.Class == Approved || r.Class == Partial }

// Temporary reports whether an advice or a reversal with this answer is to be
// sent again, unchanged, later. For UnionPay these are 06, 09, 68, 77, 90, 91,
// 92, 96, 98, 99 and A0: codes that speak of the host, of the line or of the
// keys, and leave open what becomes of the transaction. UnionPay's
// rule for offline uploads names only silence and A0 as reasons to repeat, and
// has any other code but 00 and 94 put on a list of failures and never sent
// again. An advice tells of goods that have been handed over, so it is repeated
// here for the others as well: a host that had booked it answers 94. Whoever
// wants the narrower rule repeats on Next == Resign alone, and on silence.
func (r Response) Temporary() bool {
	return r.Class == Unavailable || r.Class == InProgress || r.Class == SignIn
}

// Unknown reports whether the answer leaves open if money moved.
func (r Response) Unknown() bool { return r.Class == InProgress }

//go:embed responses/*.txt
var responseTexts embed.FS

var (
	unionPayResponses = sync.OnceValue(func() map[string]Response { return mustResponses("unionpay") })
	iso1987Responses  = sync.OnceValue(func() map[string]Response { return mustResponses("iso1987") })
	iso1993Responses  = sync.OnceValue(func() map[string]Response { return mustResponses("iso1993") })
	iso2003Responses  = sync.OnceValue(func() map[string]Response { return mustResponses("iso2003") })
)

// UnionPayCode gives the meaning of DE 39 of UnionPay. A code that is not in
// the table is a refusal with a general sentence.
func UnionPayCode(code string) Response { return lookUp(unionPayResponses(), code) }

// ISO1987Code gives the meaning of DE 39 of ISO 8583:1987. A code that is not
// in the table, private ones among them, is a refusal with a general sentence.
func ISO1987Code(code string) Response { return lookUp(iso1987Responses(), code) }

// ISO1993Code gives the meaning of DE 39 of ISO 8583:1993, the action code of
// three digits. A code that is not in the table, private ones among them, is a
// refusal with a general sentence.
func ISO1993Code(code string) Response { return lookUp(iso1993Responses(), code) }

// ISO2003Code gives the meaning of DE 39 of ISO 8583:2003, four digits. The
// table is a beginning, as the dialect is: it has the codes that are public,
// most of which are those of 1993 with one more digit. The meaning of 0007
// differs from host to host, so it is a result that is not known. A code that
// is not in the table is a refusal with a general sentence.
func ISO2003Code(code string) Response { return lookUp(iso2003Responses(), code) }

func lookUp(table map[string]Response, code string) Response {
	if r, ok := table[code]; ok {
		return r
	}
	return Response{Code: code, Zh: "交易失败，请联系收单机构。", En: "The transaction failed; call the acquirer."}
}

// Responses yields all codes of a table, in order: of UnionPay, ISO 8583:1987,
// :1993 or :2003, by the name of a dialect of theirs. Another name yields
// nothing.
func Responses(dialect string) iter.Seq[Response] {
	var table map[string]Response
	switch {
	case strings.HasPrefix(dialect, "unionpay"):
		table = unionPayResponses()
	case strings.HasPrefix(dialect, "iso1987"):
		table = iso1987Responses()
	case strings.HasPrefix(dialect, "iso1993"):
		table = iso1993Responses()
	case strings.HasPrefix(dialect, "iso2003"):
		table = iso2003Responses()
	}
	return func(yield func(Response) bool) {
		for _, code := range slices.Sorted(maps.Keys(table)) {
			if !yield(table[code]) {
				return
			}
		}
	}
}

// mustResponses reads a table that ships with the package and that its tests
// hold to be right.
func mustResponses(name string) map[string]Response {
	text, err := responseTexts.ReadFile("responses/" + name + ".txt")
	if err != nil {
		panic(err)
	}
	table := make(map[string]Response)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		head, en, _ := strings.Cut(line, " | ")
		words := strings.Fields(head)
		r := Response{Code: words[0], Zh: words[3], En: en, Known: true}
		r.Class = Class(indexOf(classNames[:], words[1]))
		r.Next = Next(indexOf(nextNames[:], words[2]))
		if _, twice := table[r.Code]; twice || en == "" {
			panic("iso8583: response table: bad line for " + r.Code)
		}
		table[r.Code] = r
	}
	return table
}

func indexOf(names []string, name string) int {
	for i, n := range names {
		if n == name {
			return i
		}
	}
	panic("iso8583: response table: unknown word " + name)
}
