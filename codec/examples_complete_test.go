package codec

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every function has an Example, and every type has one of its own, of a method
// or of a function that makes it. Left out are types that only name constants
// or that stand in another value whose Example shows them.
func TestEveryEntryPointHasAnExample(t *testing.T) {
	shown := map[string]string{ // by whose Example
		"Amount54": "ParseAmounts54", "Class": "UnionPayCode", "Next": "UnionPayCode", "Detail48": "Details48", "Frame": "Framing",
		"GroupTotals": "Totals48", "KeyLoader": "NewMasterKey", "LengthForm": "Framing", "MACForm": "NewX919MAC", "MACOptions": "NewX919MAC",
		"Parameters62": "ParseParameters62", "Private59": "ParsePrivate59", "Processing": "ParseHeader", "SpecError": "ParseSpec",
		"Tagged59": "NewTagged59", "TLV": "NewTLV", "TLVs": "ParseTLV", "UploadCount48": "ParseUploadCount48", "Verdict": "ParseTotals48",
		"Response": "UnionPayCode", "WorkingKeys": "ParseWorkingKeys",
	}
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	set := token.NewFileSet()
	var sources, tests []*ast.File
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		f, err := parser.ParseFile(set, e.Name(), nil, parser.ParseComments)
		require.NoError(t, err)
		if strings.HasSuffix(e.Name(), "_test.go") {
			tests = append(tests, f)
		} else {
			sources = append(sources, f)
		}
	}
	has := map[string]bool{}
	for _, e := range doc.Examples(tests...) {
		require.True(t, e.Output != "" || e.EmptyOutput, "Example%s says what comes out", e.Name)
		has[e.Name] = true
		name, _, _ := strings.Cut(e.Name, "_")
		has[name] = true
	}
	p, err := doc.NewFromFiles(set, sources, "github.com/tallystick/tallystick/codec")
	require.NoError(t, err)
	funcs := p.Funcs
	for _, ty := range p.Types {
		ok := has[ty.Name] || has[shown[ty.Name]]
		for _, f := range ty.Funcs {
			ok = ok || has[f.Name]
			funcs = append(funcs, f)
		}
		require.True(t, ok, "type %s has no Example", ty.Name)
		require.NotEmpty(t, ty.Doc, ty.Name)
		for _, m := range ty.Methods {
			require.True(t, m.Doc != "" || m.Name == "Error" || m.Name == "Sum", "%s.%s has no doc comment", ty.Name, m.Name)
		}
	}
	for _, f := range funcs {
		require.NotEmpty(t, f.Doc, f.Name)
		made := strings.TrimPrefix(f.Name, "Parse")
		require.True(t, has[f.Name] || has[made] || has[strings.TrimPrefix(made, "New")], "%s has no Example", f.Name)
	}
}
