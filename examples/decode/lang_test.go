package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tallystick/tallystick/codec"
)

// Everything that the report says has its Chinese.
func TestEveryWordHasItsChinese(t *testing.T) {
	zh := readChinese()
	has := func(s string) {
		if s != "" && s != "TPDU     %s" {
			require.Contains(t, zh, s)
		}
	}
	for _, s := range codec.Dialects() {
		for de := 2; de <= 128; de++ {
			has(s.FieldName(de))
		}
		for r := range codec.Responses(s.Name()) {
			has(r.Class.String() + ", next: " + r.Next.String())
			require.Equal(t, r.Zh, zh.words(r.En+" "+r.Zh))
		}
	}
	for _, words := range []map[int]string{entryWords, pinWords, typeWords, networkWords} {
		for _, w := range words {
			has(w)
		}
	}
	for _, w := range tagNames {
		has(w)
	}
	for _, w := range lengthWords {
		has(w)
	}
	for p := range codec.Processing(10) {
		has(processingInWords(p))
	}
	for i := range codec.MTI(0x1000) {
		if mti := 0x0000 | i; mti.Valid() {
			require.NotRegexp(t, `[a-z]`, zh.typeInWords(mti))
		}
	}
	for _, err := range []error{
		codec.ErrMTI, codec.ErrTruncated, codec.ErrTrailing, codec.ErrTooLong, codec.ErrTooShort, codec.ErrPrefix, codec.ErrContent, codec.ErrFiller,
		codec.ErrUndefined, codec.ErrBitmap, codec.ErrTertiary, codec.ErrStructure, codec.ErrNoMAC, codec.ErrBadMAC,
	} {
		has(err.Error())
	}
}

var latin = regexp.MustCompile(`[a-z]{2,}`)

// A report in Chinese has no English left in it, whatever is wrong, and its
// caret stands where it stands in English.
func TestChineseReport(t *testing.T) {
	clean := func(s string) string {
		return regexp.MustCompile(`unionpay|iso\d+-(ascii|bcd|binary)|-clear`).ReplaceAllString(s, "")
	}
	status, out, _ := decode(t, qrSale, "-lang", "zh", "-mak", "DAB36167E6DFB5EF")
	require.Equal(t, statusFine, status)
	for _, s := range []string{"金融请求", "读卡方式", "扫码", "60.2 批次号", "报文鉴别  正确", "2 字节，二进制", "19 个字符"} {
		require.Contains(t, out, s)
	}
	require.NotRegexp(t, latin, clean(out))
	_, out, _ = decode(t, sale, "-lang=zh")
	require.Contains(t, out, "622155******0000")
	require.Contains(t, out, "交易成功。")
	require.NotRegexp(t, latin, clean(out))
	for cut := 20; cut < len(sale); cut += 2 {
		for _, in := range []string{sale[:cut], sale[:cut] + "FF" + sale[cut+2:], sale[:cut] + "0A" + sale[cut+2:]} {
			_, en, _ := decode(t, in)
			_, zh, _ := decode(t, in, "-lang", "zh")
			require.NotRegexp(t, latin, clean(zh), in)
			caret := regexp.MustCompile(`(?m)^ +\^\^ byte \d+$`)
			require.Equal(t, caret.FindString(en), caret.FindString(strings.ReplaceAll(zh, "^^ 字节", "^^ byte")), in)
		}
	}
	status, _, errs := decode(t, "0g", "-lang", "zh")
	require.Equal(t, statusUsage, status)
	require.Equal(t, "decode: 第 1 行第 2 列：不是十六进制数字（报文字符本身请加 -text）\n", errs)
}

func TestLanguageOfTheLocale(t *testing.T) {
	for _, c := range []struct {
		flag, locale string
		chinese      bool
	}{{"", "", false}, {"", "zh_CN.UTF-8", true}, {"", "en_GB.UTF-8", false}, {"zh", "en_GB", true}, {"en", "zh_CN", false}} {
		l, err := speak(c.flag, func(name string) string { return map[string]string{"LANG": c.locale}[name] })
		require.NoError(t, err)
		require.Equal(t, c.chinese, l != nil)
	}
	_, err := speak("fr", func(string) string { return "" })
	require.ErrorContains(t, err, `"fr"`)
	require.Equal(t, "zh", langOf([]string{"-mak", "00", "--lang=zh"}))
	require.Equal(t, "", langOf([]string{"lang", "zh"}))
	require.Equal(t, 10, len(padded("报文", 10))-2)
}
