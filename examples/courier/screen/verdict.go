package screen

import "fmt"

// Verdict is the last line of the day, the same in every language: what the
// handset acknowledged to its user, what the host holds, and how many entries
// are missing there, stand there twice, or differ.
func Verdict(taken, atHost, lost, doubled, different int) string {
	return fmt.Sprintf("taken %d, at the host %d, lost %d, doubled %d, different %d",
		taken, atHost, lost, doubled, different)
}
