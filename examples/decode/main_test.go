package main

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	qrSale = "0069600601000061310031110802003020048000C08031000000000000000001000001032000323230303336303031303435313235343131313030303131353600244133303139363231313131313131313131313131313131310013220066030006004535383035454342"
	sale   = "00A360000005106031000000000210703E02810AD08213166221558812340000000000000000000001000134091947042815120427000100080009584030393139343731343530363030303538343032303031333032343430333830363231313030223930333130303030202020203330323538343020202031353600179F3602031E910A42FE066E2918B088303000132200000700050000034355503531443837343145"
)

func decode(t *testing.T, in string, args ...string) (int, string, string) {
	t.Helper()
	var out, errs bytes.Buffer
	status := run(append([]string{"-lang", "en"}, args...), strings.NewReader(in), &out, &errs)
	return status, out.String(), errs.String()
}

func TestTable(t *testing.T) {
	status, out, _ := decode(t, qrSale, "-mak", "DAB36167E6DFB5EF")
	require.Equal(t, statusFine, status)
	for _, s := range []string{"unionpay", "TPDU     6006010000", "0200  financial request", "scanned code", "60.2 batch", "006603", "MAC      right"} {
		require.Contains(t, out, s)
	}
	require.NotContains(t, out, "6211111")
	status, _, _ = decode(t, qrSale, "-mak", "DAB36167E6DFB5EE")
	require.Equal(t, statusFine, status, "the last bit of a DES key's byte is parity")
	status, out, _ = decode(t, qrSale, "-mak", "DAB36167E6DFB5ED")
	require.Equal(t, statusWrong, status)
	require.Contains(t, out, "MAC does not match")
	_, out, _ = decode(t, qrSale, "-clear")
	require.Contains(t, out, "6211111111111111")
}

func TestCardDataIsMasked(t *testing.T) {
	status, out, _ := decode(t, "", sale)
	require.Equal(t, statusFine, status)
	require.Contains(t, out, "622155******0000")
	require.Contains(t, out, "交易成功")
	require.NotContains(t, out, "155881")
	for cut := 2; cut < len(sale); cut += 2 {
		for _, in := range []string{sale[:cut], sale[:cut] + "FF" + sale[cut+2:]} {
			status, out, errs := decode(t, in)
			require.Contains(t, []int{statusFine, statusWrong}, status)
			// The card number may only be read as something else where the
			// bytes in front of it were cut or changed.
			if cut > 60 && strings.Contains(out, "dialect  unionpay") {
				require.NotContains(t, strings.ReplaceAll(out+errs, " ", ""), "5588123")
			}
		}
	}
}

func TestCaret(t *testing.T) {
	status, out, _ := decode(t, strings.Replace(qrSale, "000001000001032", "00000100000A032", 1))
	require.Equal(t, statusWrong, status)
	require.Contains(t, out, "DE 11: a character is not allowed by the field's class at offset 21")
	require.Contains(t, out, "field 11 is system trace audit number")
	require.Regexp(t, `(?m)^ +\^\^ byte 34$`, out)
	lines := strings.Split(out, "\n")
	for i, l := range lines {
		if at := strings.Index(l, "^^ byte 34"); at >= 0 {
			require.Equal(t, 6+3*2, at)
			require.True(t, strings.HasPrefix(lines[i-1], "0020"))
		}
	}
}

// The version of the message type tells dialects apart that read the same
// bytes, and no success is made of digits that cannot be there.
func TestGuessHeedsTheType(t *testing.T) {
	for in, want := range map[string]string{
		"1804" + "0020010000000000" + "000001" + "801":          "iso1993-ascii",
		"1200" + "3000000000000000" + "000000" + "000000000100": "iso1993-ascii",
		"0800" + "0020010000000000" + "000001" + "801":          "iso1987-ascii",
	} {
		status, out, _ := decode(t, hex.EncodeToString([]byte(in)))
		require.Equal(t, statusFine, status, in)
		require.Contains(t, out, "dialect  "+want, in)
	}
	status, out, _ := decode(t, "0200"+"8000000000000000"+"8000000000000000"+"00")
	require.Equal(t, statusWrong, status)
	require.Contains(t, out, "tertiary bitmap")
	require.NotContains(t, out, "header")
}

// Every captured message of the codec's own tests is read without a word of help.
func TestCapturedMessages(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "codec", "testdata", "unionpay.txt"))
	require.NoError(t, err)
	digits := map[string]string{}
	name := ""
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "message":
			name = value
		case "hex":
			digits[name] += strings.TrimSpace(value)
		}
	}
	require.Len(t, digits, 17)
	for name, in := range digits {
		status, out, _ := decode(t, in)
		require.Equal(t, statusFine, status, name)
		require.Contains(t, out, "dialect  unionpay", name)
		status, _, _ = decode(t, in, "-lang", "zh")
		require.Equal(t, statusFine, status, name)
	}
}

// A signature upload has a class that the standard leaves open.
func TestReservedClass(t *testing.T) {
	status, out, _ := decode(t, "001B"+"6000030000"+"603100311300"+"0920"+"0020000000000000"+"000001"+"00")
	require.Equal(t, statusWrong, status)
	require.Contains(t, out, "dialect  unionpay")
	require.Contains(t, out, "the length says 27 bytes, 25 follow")
	status, out, _ = decode(t, "0018"+"6000030000"+"603100311300"+"0920"+"0020000000000000"+"000001")
	require.Equal(t, statusFine, status)
	require.Contains(t, out, "dialect  unionpay")
}

// A capture that was cut, or that has more behind it, is read as far as it goes,
// and the length in front is told to differ.
func TestLengthThatDoesNotFit(t *testing.T) {
	status, out, _ := decode(t, qrSale[:190])
	require.Equal(t, statusWrong, status)
	for _, s := range []string{"dialect  unionpay", "TPDU     6006010000", "the length says 105 bytes, 93 follow", "DE 60: ends too early", "^^ byte 95"} {
		require.Contains(t, out, s)
	}
	status, out, _ = decode(t, qrSale+"0069")
	require.Equal(t, statusWrong, status)
	require.Contains(t, out, "the length says 105 bytes, 107 follow")
	require.Contains(t, out, "bytes follow the last field (2 bytes)")
	status, out, _ = decode(t, "0068"+qrSale[4:])
	require.Equal(t, statusWrong, status)
	require.Contains(t, out, "the length says 104 bytes, 105 follow")
	require.Contains(t, out, "60.2 batch", "the message itself is right")
	_, out, _ = decode(t, "0068"+qrSale[4:], "-lang", "zh")
	require.Contains(t, out, "长度指明 104 字节，其后有 105 字节")
	ascii := "0031" + "0800" + "0020010000000000" + "000001" + "80"
	_, out, _ = decode(t, ascii, "-text")
	require.Contains(t, out, "the length says 31 bytes, 28 follow")
	require.Contains(t, out, "DE 24: ends too early")
}

func TestFlagsBehindTheDigits(t *testing.T) {
	status, out, _ := decode(t, "", qrSale, "-mak", "DAB36167E6DFB5EF")
	require.Equal(t, statusFine, status)
	require.Contains(t, out, "MAC      right")
}

func TestDumps(t *testing.T) {
	want, err := fromDump(nil, "0800002000000012")
	require.NoError(t, err)
	for _, s := range []string{
		"08 00 00 20\n00 00 00 12\n", "0x08 0x00 0x00 0x20 0x00,0x00,0x00,0x12", "08:00:00:20:00:00:00:12",
		"00000000: 0800 0020 0000 0012                      ... ....\n",
		"00000000  08 00 00 20 00 00 00 12                           |... ....|\n00000008\n",
		"0000   08 00 00 20 00 00 00 12   ... ....\n",
		"0040   08 00 00 20   ... \n0044   00 00 00 12   ....\n\n", "000000 08 00 00 20\r\n000004 00 00 00 12\r\n000008\r\n",
		"0800 00 20 00 00 00 12", "0800 00 20\n00 00 00 12", "0800 00 20\n0000 00 12\n",
	} {
		got, err := fromDump(nil, s)
		require.NoError(t, err, s)
		require.Equal(t, want, got, s)
	}
	_, err = fromDump(nil, "08 00\n00 g0")
	require.EqualError(t, err, "line 2, column 4: not a hexadecimal digit (-text takes the message's own characters)")
	_, err = fromDump(nil, "080")
	require.ErrorContains(t, err, "odd number")
}

func TestOwnDialects(t *testing.T) {
	dir := t.TempDir()
	table := filepath.Join(dir, "own.txt")
	require.NoError(t, os.WriteFile(table, []byte("dialect own\nmti ascii\nbitmap hex\n3 n6 fixed processing code\n"), 0o600))
	status, out, _ := decode(t, "02002000000000000000310000", "-text", "-table", table)
	require.Equal(t, statusFine, status)
	require.Contains(t, out, "31 00 00")
	moov := filepath.Join(dir, "own.json")
	require.NoError(t, os.WriteFile(moov, []byte(`{"name":"own","fields":{"0":{"type":"String","length":4,"enc":"ASCII","prefix":"ASCII.Fixed"},"1":{"type":"Bitmap","length":8,"enc":"HexToASCII","prefix":"Hex.Fixed"},"3":{"type":"Numeric","length":6,"description":"code","enc":"ASCII","prefix":"ASCII.Fixed"}}}`), 0o600))
	status, out, _ = decode(t, "02002000000000000000310000", "-text", "-moov", moov)
	require.Equal(t, statusFine, status)
	require.Contains(t, out, "310000")
	require.NoError(t, os.WriteFile(table, []byte("3 n6 fixed\n"), 0o600))
	status, _, errs := decode(t, "00", "-table", table)
	require.Equal(t, statusUsage, status)
	require.Contains(t, errs, "line 1, column 6")
}

// An approval is not told as a refusal because its dialect has no table of
// codes, or one of its own.
func TestApprovalsOfOtherDialects(t *testing.T) {
	table := filepath.Join(t.TempDir(), "own.txt")
	require.NoError(t, os.WriteFile(table, []byte("dialect acme\nmti ascii\nbitmap hex\n39 an2 fixed response code\n"), 0o600))
	const bitmap = "0000000002000000"
	_, out, _ := decode(t, "0210"+bitmap+"00", "-text", "-table", table)
	require.Contains(t, out, "approved")
	_, out, _ = decode(t, "0210"+bitmap+"Q8", "-text", "-table", table)
	require.NotContains(t, out, "declined")
	status, out, _ := decode(t, "2210"+bitmap+"0000", "-text", "-dialect", "iso2003-ascii")
	require.Equal(t, statusFine, status)
	require.Contains(t, out, "approved, next: done")
	_, out, _ = decode(t, "0210"+bitmap+"51", "-text", "-dialect", "iso1987-ascii")
	require.Contains(t, out, "declined")
	_, out, _ = decode(t, "1210"+bitmap+"116", "-text", "-dialect", "iso1993-ascii")
	require.Contains(t, out, "declined")
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		in   string
		want string
	}{
		{[]string{"-dialect", "klingon"}, "00", "no dialect is called"},
		{[]string{"-table", "missing.txt"}, "00", "missing.txt"},
		{[]string{"-moov", "missing.json"}, "00", "missing.json"},
		{[]string{"-mak", "12"}, "00", "MAC key"},
		{[]string{"-colour"}, "00", "flag provided"},
		{nil, "", "empty"},
		{nil, "zz", "line 1, column 1"},
		{nil, strings.Repeat("0", maxInput+1), "1 MiB"},
	} {
		status, _, errs := decode(t, c.in, c.args...)
		require.Equal(t, statusUsage, status)
		require.Contains(t, errs, c.want)
	}
	status, _, errs := decode(t, "", "-h")
	require.Equal(t, statusFine, status)
	require.Contains(t, errs, "usage")
	status, out, _ := decode(t, "02")
	require.Equal(t, statusWrong, status)
	require.Contains(t, out, "ends too early")
}
