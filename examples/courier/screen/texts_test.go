package screen

import (
	"reflect"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

var verb = regexp.MustCompile(`%[^a-zA-Z%]*[a-zA-Z%]`)

// A language lacks no text, and each format takes the same values in the same
// order as the English one.
func TestLanguagesAreCompleteAndAgree(t *testing.T) {
	en, zh := reflect.ValueOf(english), reflect.ValueOf(chinese)
	for i := range en.NumField() {
		name := en.Type().Field(i).Name
		switch field := en.Field(i); field.Kind() {
		case reflect.String:
			requireSameText(t, name, field, zh.Field(i))
		case reflect.Array:
			for j := range field.Len() {
				requireSameText(t, name, field.Index(j), zh.Field(i).Index(j))
			}
		case reflect.Func:
		default:
			t.Fatalf("%s is of a kind that this test does not know", name)
		}
	}
}

func requireSameText(t *testing.T, name string, en, zh reflect.Value) {
	t.Helper()
	require.NotEmpty(t, en.String(), name)
	require.NotEmpty(t, zh.String(), name)
	require.Equal(t, verb.FindAllString(en.String(), -1), verb.FindAllString(zh.String(), -1), name)
}
