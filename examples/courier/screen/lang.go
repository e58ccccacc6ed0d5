package screen

import (
	"fmt"
	"strings"
)

// Lang is a language that the screen speaks.
type Lang string

// The languages.
const (
	English Lang = "en"
	Chinese Lang = "zh"
)

// Language returns the language to speak: the one that flag names, en or zh, or,
// if flag is empty, the locale's, which getenv (os.Getenv, say) tells as
// LC_ALL, LC_MESSAGES or LANG, the first that is set. Any locale but a Chinese
// one gives English. It fails only on an unknown flag.
func Language(flag string, getenv func(string) string) (Lang, error) {
	switch flag {
	case "":
		return localeLanguage(getenv), nil
	case string(English):
		return English, nil
	case string(Chinese):
		return Chinese, nil
	}
	return "", fmt.Errorf("the language %q of -lang is unknown; give en or zh", flag)
}

func localeLanguage(getenv func(string) string) Lang {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		locale := getenv(name)
		if locale == "" {
			continue
		}
		language, _, _ := strings.Cut(strings.ToLower(locale), "_")
		language, _, _ = strings.Cut(language, ".")
		language, _, _ = strings.Cut(language, "-")
		if language == "zh" {
			return Chinese
		}
		return English
	}
	return English
}

// LanguageFlag finds the value of -lang among arguments that are not parsed
// yet, so that what is wrong with them can be said in that language.
func LanguageFlag(args []string) string {
	for i, a := range args {
		name := strings.TrimPrefix(strings.TrimPrefix(a, "-"), "-")
		if v, ok := strings.CutPrefix(name, "lang="); ok && name != a {
			return v
		}
		if name == "lang" && name != a && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}
