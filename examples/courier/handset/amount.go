package handset

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tallystick/tallystick/examples/courier/route"
)

var errAmount = errors.New("not an amount")

// parseFen reads yuan with up to two decimals, route.MinFen to route.MaxFen.
func parseFen(s string) (int64, error) {
	whole, cents, point := strings.Cut(s, ".")
	if point && (len(cents) < 1 || len(cents) > 2) || whole == "" || len(whole) > 9 {
		return 0, errAmount
	}
	for _, r := range whole + cents {
		if r < '0' || r > '9' {
			return 0, errAmount
		}
	}
	fen, err := strconv.ParseInt(whole+(cents + "00")[:2], 10, 64)
	if err != nil || fen < route.MinFen || fen > route.MaxFen {
		return 0, errAmount
	}
	return fen, nil
}

// Yuan writes fen as commands and answers spell an amount.
func Yuan(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	return fmt.Sprintf("%s%d.%02d", sign, fen/100, fen%100)
}
