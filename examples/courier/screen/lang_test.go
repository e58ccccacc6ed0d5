package screen

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLanguageFlag(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-lang", "zh"}, "zh"},
		{[]string{"--lang=en", "-x"}, "en"},
		{[]string{"-kills", "3", "-lang", "fr"}, "fr"},
		{[]string{"lang", "zh"}, ""},
		{[]string{"lang=zh"}, ""},
		{[]string{"-lang"}, ""},
		{nil, ""},
	} {
		require.Equal(t, c.want, LanguageFlag(c.args), c.args)
	}
}
