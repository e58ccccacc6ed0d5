package statement

import (
	"fmt"
	"strings"
)

// Error says where a statement or a mapping cannot be read. It never repeats a
// cell of the statement.
type Error struct {
	// Line counts from 1. Of a record over several lines it is the one where
	// the cell begins.
	Line int
	// Column is, in a statement, the number of the cell in its record; in a
	// mapping, that of the character. It counts from 1; 0 is the whole line.
	Column int
	// Field is what the cell is mapped to, "amount"; empty for the whole line.
	Field string
	// Problem is what is wrong and what to do.
	Problem string
	// Cause is the error beneath, if there is one.
	Cause error
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "line %d", e.Line)
	if e.Column > 0 {
		fmt.Fprintf(&b, ", column %d", e.Column)
	}
	if e.Field != "" {
		fmt.Fprintf(&b, " (%s)", e.Field)
	}
	b.WriteString(": " + e.Problem)
	if e.Cause != nil {
		fmt.Fprintf(&b, ": %v", e.Cause)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Cause }
