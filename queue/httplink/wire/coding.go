package wire

import (
	"bytes"
	"compress/flate"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// Coding names, in Content-Encoding and in a Line, raw deflate (RFC 1951) with
// the preset dictionary of version 1. Another dictionary gets another name.
const Coding = "tallystick-flate-1"

// DictionarySHA256 is the SHA-256 of the dictionary of Coding, in hex.
const DictionarySHA256 = "10ef7ad538fe68cce11e416a8a841e946502be626eb381b89167561d5e82b2de"

//go:embed dictionary-1.txt
var dictionary string

// Dictionary returns the preset dictionary of Coding.
func Dictionary() string { return dictionary }

// ErrTooLarge means that a body is larger than it may be.
var ErrTooLarge = errors.New("the body is too large")

var writers = sync.Pool{New: func() any {
	w, err := flate.NewWriterDict(nil, flate.BestCompression, []byte(dictionary))
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

// Compress returns body in Coding.
func Compress(body []byte) []byte {
	var b bytes.Buffer
	w := writers.Get().(*flate.Writer)
	defer writers.Put(w)
	w.Reset(&b)
	_, err := w.Write(body)
	if err = errors.Join(err, w.Close()); err != nil {
		panic(err) // a bytes.Buffer takes all
	}
	return b.Bytes()
}

// ReadBody reads a body that came with this Content-Encoding: at most most bytes,
// as it came and expanded. Memory grows with what came, not with what it claims.
//
// Errors: ErrTooLarge; a *Problem of the type ProblemCoding; a *SyntaxError where
// the deflate stream is broken or bytes follow it; those of r.
func ReadBody(r io.Reader, encoding string, most int) ([]byte, error) {
	compressed := strings.EqualFold(encoding, Coding)
	if !compressed && encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, NewProblem(ProblemCoding, "known is "+Coding)
	}
	body, err := readUpTo(r, most)
	if err != nil || !compressed {
		return body, err
	}
	in := bytes.NewReader(body)
	out, err := readUpTo(flate.NewReaderDict(in, []byte(dictionary)), most)
	switch {
	case errors.Is(err, ErrTooLarge):
		return nil, err
	case err != nil:
		return nil, &SyntaxError{Problem: "is not deflate as " + Coding + " has it"}
	case in.Len() > 0:
		return nil, &SyntaxError{Problem: fmt.Sprintf("has %d bytes behind the end of the deflate stream", in.Len())}
	}
	return out, nil
}

func readUpTo(r io.Reader, most int) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	if len(body) > most {
		return nil, fmt.Errorf("%w: allowed are up to %d bytes", ErrTooLarge, most)
	}
	return body, err
}

// bodyProblem turns an error of ReadBody into the problem to answer with, where
// it is not one of the connection.
func bodyProblem(err error) error {
	var p *Problem
	var at *SyntaxError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &at):
		return malformed(err)
	case errors.Is(err, ErrTooLarge):
		return NewProblem(ProblemTooLarge, err.Error())
	}
	return err
}
