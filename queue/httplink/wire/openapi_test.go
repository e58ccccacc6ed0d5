package wire

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// schema is as much of a JSON schema as openapi.yaml uses.
type schema struct {
	Ref                  string `yaml:"$ref"`
	Type                 string
	Enum                 []string
	Properties           map[string]schema
	Required             []string
	AdditionalProperties *bool `yaml:"additionalProperties"`
	Items                *schema
	MinLength            *int `yaml:"minLength"`
	MaxLength            *int `yaml:"maxLength"`
	MinItems             *int `yaml:"minItems"`
	MaxItems             *int `yaml:"maxItems"`
	Minimum, Maximum     *uint64
	Pattern, Format      string
	Examples             []string
}

type description struct {
	Openapi string
	Paths   map[string]map[string]struct {
		Responses  map[string]any
		Parameters []struct {
			Name, In string
			Schema   schema
		}
	}
	Components struct{ Schemas map[string]schema }
}

func openAPI(t *testing.T) (d description) {
	t.Helper()
	text, err := os.ReadFile("../openapi.yaml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &d))
	return d
}

func (d description) resolve(s schema) schema {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return d.Components.Schemas[name]
	}
	return s
}

// The members of each schema are those of the Go type that is encoded: names,
// types, which of them are required, and that no other is taken.
func TestOpenAPIHasTheMembersOfTheTypes(t *testing.T) {
	d := openAPI(t)
	require.Equal(t, "3.1.0", d.Openapi)
	types := map[string]reflect.Type{"Submission": reflect.TypeFor[submissionJSON](), "Entry": reflect.TypeFor[entryJSON](),
		"Original": reflect.TypeFor[originalJSON](), "Card": reflect.TypeFor[cardJSON](), "Answers": reflect.TypeFor[answersJSON](),
		"Answer": reflect.TypeFor[answerJSON](), "Line": reflect.TypeFor[lineJSON](), "Problem": reflect.TypeFor[problemJSON]()}
	for name, typ := range types {
		s, ok := d.Components.Schemas[name]
		require.True(t, ok, name)
		require.Equal(t, "object", s.Type)
		closed := s.AdditionalProperties != nil && !*s.AdditionalProperties
		require.Equal(t, name != "Problem", closed, name)
		var required []string
		for field := range typ.Fields() {
			member, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			p, ok := s.Properties[member]
			require.True(t, ok, "%s.%s is not described", name, member)
			require.Equal(t, jsonType(field.Type), d.resolve(p).Type, "%s.%s", name, member)
			if options != "omitempty" {
				required = append(required, member)
			}
			delete(s.Properties, member)
		}
		require.ElementsMatch(t, required, s.Required, name)
		require.Empty(t, s.Properties, "%s has members that the type has not", name)
	}
	require.Len(t, d.Components.Schemas, len(types)+3) // Name, Key, Currency
}

func jsonType(typ reflect.Type) string {
	switch typ.Kind() {
	case reflect.String:
		return "string"
	case reflect.Int, reflect.Int64, reflect.Uint32, reflect.Uint64:
		return "integer"
	case reflect.Slice:
		return "array"
	}
	return "object"
}

func TestOpenAPIHasTheNamesAndPaths(t *testing.T) {
	d := openAPI(t)
	entry := d.Components.Schemas["Entry"].Properties
	for member, names := range map[string][]string{"kind": kinds, "op": ops, "tender": tenders, "reason": reasons} {
		require.Equal(t, names[1:], entry[member].Enum, member)
	}
	require.Equal(t, verdicts[1:], d.Components.Schemas["Answer"].Properties["verdict"].Enum)
	var told []string
	statuses := map[string]bool{"200": true, strconv.Itoa(429): true}
	for kind, p := range problems {
		told = append(told, ProblemBase+string(kind))
		statuses[strconv.Itoa(p.status)] = true
	}
	require.ElementsMatch(t, told, d.Components.Schemas["Problem"].Properties["type"].Examples)
	require.Len(t, d.Paths, 2)
	post := d.Paths[EntriesPath]["post"]
	require.Len(t, post.Responses, len(statuses))
	for s := range statuses {
		require.Contains(t, post.Responses, s)
	}
	require.Contains(t, d.Paths[LinePath], "get")
	require.Equal(t, KeyHeader, post.Parameters[0].Name)
	require.Contains(t, post.Parameters[1].Schema.Enum, Coding)
}

// Each bound of the description is the decoder's: what lies on it is read, what
// lies beyond is not.
func TestOpenAPIHasTheBoundsOfTheDecoders(t *testing.T) {
	d := openAPI(t)
	key := `"AQIDBAUGBwgJCgsMDQ4PEA"`
	const other = `"AQIDBAUGBwgJCgsMDQ4PEQ"`
	entry := `{"key":` + key + `,"seq":5,"kind":"reversal","op":"sale","tender":"card","ref":"r","stan":7,"amount":5,"currency":"156","time":"2026-11-22T00:00:00.000Z",` +
		`"original":4,"of":{"stan":1,"batch":1,"rrn":"1","auth":"1","time":"2026-11-22T00:00:00.000Z"},"reason":"fault","batch":1,"approval":"1","mode":"1","operator":"1","pan":"1","data":"AQ==",` +
		`"dataHash":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",` +
		`"card":{"pan":"1","expiry":"1","sequence":"1","track2":"1","track3":"1","icc":"AQ==","payCode":"1","pinBlock":"AQ=="}}`
	submission := `{"journal":` + key + `,"epoch":1,"via":` + other + `,"host":"h","merchant":"m","terminal":"t","entries":[` + entry + `]}`
	answer := `{"key":` + key + `,"seq":5,"stan":7,"amount":999999999999,"currency":"156","verdict":"partial","code":"1","rrn":"1","auth":"1","approved":1,"time":"2026-11-22T00:00:00Z","detail":"d"}`
	answers := `{"journal":` + key + `,"host":"h","merchant":"m","terminal":"t","answers":[` + answer + `]}`
	line := `{"host":"h","merchant":"m","terminal":"t","time":"2026-11-22T00:00:00Z","batch":1,"maxEntries":1,"maxBytes":16384,"codings":["c"],"spread":1,"dictionary":"d"}`
	// What is read is taken as syntax only: a reader, not a decoder's later checks.
	read := map[string]func([]byte) error{
		"Submission": func(b []byte) error { return syntaxOf(decodeSubmission(b)) },
		"Answers":    func(b []byte) error { _, err := DecodeAnswers(b); return err },
		"Line":       func(b []byte) error { _, err := DecodeLine(b); return err },
	}
	for name, text := range map[string]string{"Submission": submission, "Answers": answers, "Line": line} {
		var whole map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &whole))
		require.NoError(t, read[name]([]byte(text)), name)
		tried := 0
		d.bounds(t, d.Components.Schemas[name], whole, func() any { return whole }, name, func(where string, good bool) {
			body, err := json.Marshal(whole)
			require.NoError(t, err)
			if err := read[name](body); good {
				require.NoError(t, err, where)
			} else {
				require.Error(t, err, where)
			}
			tried++
		})
		require.Greater(t, tried, 20, name)
	}
}

// syntaxOf leaves out the rules that hold between members.
func syntaxOf(_ Submission, err error) error {
	if at, ok := err.(*SyntaxError); ok && at.Offset == 0 {
		return nil
	}
	return err
}

// bounds puts values on and beyond each bound into object and calls try.
func (d description) bounds(t *testing.T, s schema, object map[string]any, whole func() any, path string, try func(where string, good bool)) {
	require.Len(t, object, len(s.Properties), "%s: the sample has every member", path)
	for member, p := range s.Properties {
		p, was := d.resolve(p), object[member]
		at := path + "." + member
		with := func(v any, why string, good bool) {
			object[member] = v
			try(fmt.Sprintf("%s: %s", at, why), good)
			object[member] = was
		}
		switch p.Type {
		case "object":
			d.bounds(t, p, was.(map[string]any), whole, at, try)
			with("text", "a string", false)
		case "array":
			list := was.([]any)
			with([]any{}, "no elements", false)
			with(slices.Repeat(list, *p.MaxItems+1), "too many elements", false)
			with(slices.Repeat(list, *p.MaxItems), "all elements", true)
			if items := d.resolve(*p.Items); items.Type == "object" {
				d.bounds(t, items, list[0].(map[string]any), whole, at, try)
			}
		case "integer":
			if member != "approved" && member != "amount" { // they hang together
				with(json.Number(strconv.FormatUint(*p.Maximum, 10)), "the maximum", true)
				with(json.Number(strconv.FormatUint(*p.Minimum, 10)), "the minimum", true)
			}
			with(json.Number(strconv.FormatUint(*p.Maximum+1, 10)), "above the maximum", false)
			with(json.Number(strconv.FormatUint(*p.Minimum-1, 10)), "below the minimum", false)
			with("1", "a string", false)
		case "string":
			with("", "empty", false)
			with(json.Number("1"), "a number", false)
			switch {
			case p.MaxLength != nil && strings.HasSuffix(was.(string), "="):
				with(strings.Repeat("A", *p.MaxLength+4), "too long", false)
				with("A", "no base64", false)
			case p.MaxLength != nil:
				with(strings.Repeat("x", *p.MaxLength), "as long as may be", true)
				with(strings.Repeat("x", *p.MaxLength+1), "too long", false)
			default:
				require.True(t, p.Enum != nil || p.Pattern != "" || p.Format != "", "%s has a bound", at)
				with("x", "none of them", false)
			}
		}
	}
}
