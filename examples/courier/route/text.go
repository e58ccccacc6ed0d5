package route

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// decode turns a file's bytes into text, without a byte order mark. The Error
// it returns lacks the file's name.
func decode(data []byte) (string, *Error) {
	data = bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF"))
	if utf16 := bytes.HasPrefix(data, []byte("\xFF\xFE")) || bytes.HasPrefix(data, []byte("\xFE\xFF")); utf16 {
		return "", &Error{Line: 1, Problem: NotText}
	}
	text := string(data)
	if !utf8.ValidString(text) {
		decoded, err := simplifiedchinese.GB18030.NewDecoder().Bytes(data)
		if err != nil {
			return "", &Error{Line: 1, Problem: NotText}
		}
		// The error is where the better of the two readings ends.
		problem := unreadable(strings.ToValidUTF8(text, "\uFFFD"))
		text = string(decoded)
		if asGB := unreadable(text); asGB == nil || asGB.Line > problem.Line || asGB.Line == problem.Line && asGB.Column > problem.Column {
			problem = asGB
		}
		return text, problem
	}
	return text, unreadable(text)
}

// unreadable finds the first character that the file's encoding could not
// express. A decoder writes U+FFFD for it; in a file that says U+FFFD itself
// the text was lost before.
func unreadable(text string) *Error {
	bad := strings.IndexAny(text, "\uFFFD\x00")
	if bad < 0 {
		return nil
	}
	line := text[strings.LastIndexByte(text[:bad], '\n')+1 : bad]
	return &Error{
		Line:    1 + strings.Count(text[:bad], "\n"),
		Column:  cellAt(line),
		Problem: NotText,
	}
}

// cellAt returns the number, from 1, of the cell in which a line's beginning
// ends: one more than its commas outside quotes.
func cellAt(beginning string) int {
	cell, quoted := 1, false
	for _, c := range beginning {
		switch {
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			cell++
		}
	}
	return cell
}
