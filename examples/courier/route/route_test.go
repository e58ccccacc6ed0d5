package route

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"
)

const (
	englishHeader = "waybill,recipient,phone,address,amount,tender\n"
	chineseHeader = "运单号,收件人,电话,地址,代收货款,付款方式\n"
)

var sound = []Parcel{
	{Line: 2, Waybill: "TS-1", Recipient: "万文博", Phone: "177****7201", Address: "云渡路15号", Fen: 44550, Tender: Card},
	{Line: 3, Waybill: "TS-2", Recipient: "邹霞", Phone: "", Address: "云渡路22号, 2单元", Fen: 1, Tender: QR},
	{Line: 4, Waybill: "TS-3", Recipient: "", Phone: "", Address: "青枫街3号", Fen: 5_000_000, Tender: Cash},
}

const soundChinese = chineseHeader +
	"TS-1,万文博,177****7201,云渡路15号,445.50,刷卡\n" +
	"TS-2,邹霞,,\"云渡路22号, 2单元\",0.01,扫码\n" +
	"TS-3,,,青枫街3号,50000,现金\n"

func gb18030(t *testing.T, text string) string {
	t.Helper()
	b, err := simplifiedchinese.GB18030.NewEncoder().String(text)
	require.NoError(t, err)
	return b
}

func TestReadSoundFiles(t *testing.T) {
	for name, text := range map[string]string{
		"UTF-8":             soundChinese,
		"byte order mark":   "\uFEFF" + soundChinese,
		"GB18030":           gb18030(t, soundChinese),
		"CR LF":             strings.ReplaceAll(soundChinese, "\n", "\r\n"),
		"no last line end":  strings.TrimSuffix(soundChinese, "\n"),
		"rows of commas":    soundChinese + ",,,,,\n\n,,,,,\n",
		"units and case":    strings.NewReplacer("代收货款", "COD_Amount(元)", "地址", " Address ").Replace(soundChinese),
		"tab after a cell":  strings.ReplaceAll(soundChinese, "TS-1,", "TS-1\t,"),
		"leading zeros":     strings.ReplaceAll(soundChinese, "445.50", "000000000000445.5"),
		"English tenders":   strings.NewReplacer("刷卡", "Card", "扫码", "qr", "现金", "CASH").Replace(soundChinese),
		"an unknown column": strings.NewReplacer("付款方式", "付款方式,备注", "刷卡", "刷卡,x", "扫码", "扫码,", "现金", "现金,").Replace(soundChinese),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Read("r.csv", strings.NewReader(text))
			require.NoError(t, err)
			require.Equal(t, sound, got)
		})
	}
}

func TestReadColumnsInAnyOrder(t *testing.T) {
	got, err := Read("r.csv", strings.NewReader("付款方式,代收货款,地址,运单号\n现金,9.9,青枫街3号,A1\n"))
	require.NoError(t, err)
	require.Equal(t, []Parcel{{Line: 2, Waybill: "A1", Address: "青枫街3号", Fen: 990, Tender: Cash}}, got)
}

func TestReadDamagedFiles(t *testing.T) {
	const good = "A1,Li,1,Road 1,10.00,card\n"
	const gut = "A1,李,1,云渡路1号,10.00,刷卡\n"
	long := strings.Repeat("长", MaxAddress+1)
	for _, c := range []struct {
		name         string
		text         string
		problem      Problem
		line, column int
	}{
		{"empty file", "", EmptyFile, 1, 0},
		{"blank lines only", "\n\n,,,\n", EmptyFile, 1, 0},
		{"byte order mark only", "\uFEFF", EmptyFile, 1, 0},
		{"header only", englishHeader, EmptyFile, 1, 0},
		{"表头之外为空", chineseHeader, EmptyFile, 1, 0},
		{"missing column", "waybill,address,tender\nA1,Road 1,card\n", MissingColumn, 1, 0},
		{"缺少列", "\n运单号,地址,代收货款\nA1,云渡路1号,1\n", MissingColumn, 2, 0},
		{"no header", good, MissingColumn, 1, 0},
		{"column twice", "waybill,address,amount,tender,COD\n", DuplicateColumn, 1, 5},
		{"列重复", "运单号,地址,代收货款,付款方式,金额（元）\n", DuplicateColumn, 1, 5},
		{"too few cells", englishHeader + good + "A2,Li,1,Road 1,10.00\n", WrongCellCount, 3, 6},
		{"单元格过少", chineseHeader + gut + "A2,李,1\n", WrongCellCount, 3, 4},
		{"too many cells", englishHeader + "A2,Li,1,Road 1,10.00,card,x,y\n", WrongCellCount, 2, 7},
		{"quote within a cell", englishHeader + good + "A2,Li,1,Road \"1,10.00,card\n", BadQuote, 3, 4},
		{"quote within a cell after a comma in quotes", englishHeader + "A2,\"L,i\",1,Road \"1,10.00,card\n", BadQuote, 2, 4},
		{"text after a quoted cell", englishHeader + "A2,Li,1,\"Road\" 1,10.00,card\n", BadQuote, 2, 4},
		{"引号没有闭合", chineseHeader + gut + "A2,\"李,1,云渡路1号,10.00,刷卡\n" + gut + gut, BadQuote, 3, 2},
		{"line break in a cell", englishHeader + "A2,Li,1,\"Road\n1\",10.00,card\n", ControlCharacter, 2, 4},
		{"escape character", englishHeader + "A2,Li,1,Road\x1b[31m1,10.00,card\n", ControlCharacter, 2, 4},
		{"right-to-left override", englishHeader + "A2,Li\u202Eix,1,Road,10.00,card\n", ControlCharacter, 2, 2},
		{"negative amount", englishHeader + "A1,Li,1,Road 1,-5.00,card\n", NegativeAmount, 2, 5},
		{"金额为负", chineseHeader + gut + "A2,李,1,云渡路1号,-5,刷卡\n", NegativeAmount, 3, 5},
		{"fraction of a cent", englishHeader + "A1,Li,1,Road 1,10.005,card\n", FractionOfFen, 2, 5},
		{"不足一分", chineseHeader + "A2,李,1,云渡路1号,0.001,刷卡\n", FractionOfFen, 2, 5},
		{"zero amount", englishHeader + "A1,Li,1,Road 1,0.00,card\n", ZeroAmount, 2, 5},
		{"金额为零", chineseHeader + "A2,李,1,云渡路1号,0,刷卡\n", ZeroAmount, 2, 5},
		{"amount above the limit", englishHeader + "A1,Li,1,Road 1,50000.01,card\n", AmountTooLarge, 2, 5},
		{"amount beyond int64", englishHeader + "A1,Li,1,Road 1,99999999999999999999,card\n", AmountTooLarge, 2, 5},
		{"amount in words", englishHeader + "A1,Li,1,Road 1,ten,card\n", BadAmount, 2, 5},
		{"amount without digits", englishHeader + "A1,Li,1,Road 1,.,card\n", BadAmount, 2, 5},
		{"amount without whole yuan", englishHeader + "A1,Li,1,Road 1,.5,card\n", BadAmount, 2, 5},
		{"amount ending in a point", englishHeader + "A1,Li,1,Road 1,5.,card\n", BadAmount, 2, 5},
		{"amount with an exponent", englishHeader + "A1,Li,1,Road 1,1e2,card\n", BadAmount, 2, 5},
		{"amount with a plus", englishHeader + "A1,Li,1,Road 1,+5,card\n", BadAmount, 2, 5},
		{"全角数字", chineseHeader + "A2,李,1,云渡路1号,１０,刷卡\n", BadAmount, 2, 5},
		{"no amount", englishHeader + "A1,Li,1,Road 1,,card\n", BadAmount, 2, 5},
		{"unknown tender", englishHeader + "A1,Li,1,Road 1,5,cheque\n", UnknownTender, 2, 6},
		{"付款方式无法识别", chineseHeader + "A2,李,1,云渡路1号,5,支票\n", UnknownTender, 2, 6},
		{"no tender", englishHeader + "A1,Li,1,Road 1,5,\n", UnknownTender, 2, 6},
		{"duplicate waybill", englishHeader + good + strings.Replace(good, "Li", "Wu", 1), DuplicateWaybill, 3, 1},
		{"运单号重复", chineseHeader + gut + "\n" + gut, DuplicateWaybill, 4, 1},
		{"empty waybill", englishHeader + " ,Li,1,Road 1,5,card\n", EmptyCell, 2, 1},
		{"运单号为空", chineseHeader + ",李,1,云渡路1号,5,刷卡\n", EmptyCell, 2, 1},
		{"waybill with a blank in it", englishHeader + "A 1,Li,1,Road 1,5,card\n", BadWaybill, 2, 1},
		{"empty address", englishHeader + "A1,Li,1,,5,card\n", EmptyCell, 2, 4},
		{"waybill too long", englishHeader + strings.Repeat("A", MaxWaybill+1) + ",Li,1,Road 1,5,card\n", TooLong, 2, 1},
		{"name too long", englishHeader + "A1," + strings.Repeat("i", MaxRecipient+1) + ",1,Road 1,5,card\n", TooLong, 2, 2},
		{"phone too long", englishHeader + "A1,Li," + strings.Repeat("1", MaxPhone+1) + ",Road 1,5,card\n", TooLong, 2, 3},
		{"地址过长", chineseHeader + "A1,李,1," + long + ",5,刷卡\n", TooLong, 2, 4},
		{"neither UTF-8 nor GBK", chineseHeader + "A1,\xff\xff,1,云渡路1号,5,刷卡\n", NotText, 2, 2},
		{"UTF-16", "\xff\xfew\x00a\x00", NotText, 1, 0},
		{"a zero byte", englishHeader + good + "A2,Li,\x00,Road 1,5,card\n", NotText, 3, 3},
		{"too many parcels", tooMany(), TooManyParcels, MaxParcels + 2, 0},
		{"file too large", englishHeader + strings.Repeat("\n", MaxBytes), FileTooLarge, MaxBytes + 1 - len(englishHeader) + 1 + 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			parcels, err := Read("route.csv", strings.NewReader(c.text))
			require.Nil(t, parcels)
			e := requireError(t, err)
			require.Equal(t, c.problem, e.Problem, e.Error())
			require.Equal(t, [2]int{c.line, c.column}, [2]int{e.Line, e.Column}, e.Error())
			requireSentence(t, e)
		})
	}
}

// tooMany is a file with one parcel above the limit.
func tooMany() string {
	var b strings.Builder
	b.WriteString(englishHeader)
	for i := range MaxParcels + 1 {
		b.WriteString("A")
		for d := 10_000; d > 0; d /= 10 {
			b.WriteByte('0' + byte(i/d%10))
		}
		b.WriteString(",,,R,1,qr\n")
	}
	return b.String()
}

func requireError(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	require.ErrorAs(t, err, &e)
	return e
}

func TestErrorSentences(t *testing.T) {
	for _, c := range []struct{ text, english, chinese string }{
		{
			chineseHeader + "A2,李,1,云渡路1号,-5.00,刷卡\n",
			"dir/route.csv, line 2, column 5 (代收货款): the amount “-5.00” is negative; write what the recipient is to pay, from 0.01 to 50000.00.",
			"dir/route.csv 第 2 行第 5 列（代收货款）：金额 “-5.00”为负数；请填写应收的金额，0.01 至 50000.00。",
		}, {
			"waybill,address,tender\n",
			"dir/route.csv, line 1: the header has no column “amount” (“代收货款”); add it, with cells separated by commas.",
			"dir/route.csv 第 1 行：表头缺少“代收货款”（“amount”）这一列；请补上，单元格之间用英文逗号分隔。",
		}, {
			englishHeader + "A1,Li,1,Road 1,6221558812340000,card\n",
			"dir/route.csv, line 2, column 5 (amount): the amount is above the limit of 50000.00; correct it.",
			"dir/route.csv 第 2 行第 5 列（amount）：金额超过上限 50000.00；请更正。",
		},
	} {
		_, err := Read("dir/route.csv", strings.NewReader(c.text))
		require.EqualError(t, err, c.english)
		require.Equal(t, c.chinese, requireError(t, err).Chinese())
	}
}

func TestErrorsRepeatNoLongCell(t *testing.T) {
	const pan = "6221558812340000"
	for _, line := range []string{
		pan + "!,Li,1,Road 1,5,card\n",
		"A1,Li,1,Road 1," + pan + "x,card\n",
		"A1,Li,1,Road 1,-" + pan + ",card\n",
		"A1,Li,1,Road 1,5," + pan + "\n",
	} {
		_, err := Read("route.csv", strings.NewReader(englishHeader+line))
		e := requireError(t, err)
		require.NotContains(t, e.Error(), pan)
		require.NotContains(t, e.Chinese(), pan)
	}
}

func TestSentencesAreComplete(t *testing.T) {
	for p := fine + 1; p < problems; p++ {
		require.NotEmpty(t, sentences[p].english, p)
		require.NotEmpty(t, sentences[p].chinese, p)
	}
}

func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.csv")
	_, err := Open(path)
	e := requireError(t, err)
	require.Equal(t, CannotOpen, e.Problem)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Equal(t, 1, strings.Count(err.Error(), "none.csv"))
	requireSentence(t, e)

	_, err = Open(t.TempDir())
	require.Equal(t, CannotRead, requireError(t, err).Problem)
}

func TestReadErrorFromTheReader(t *testing.T) {
	broken := errors.New("disk on fire")
	_, err := Read("r.csv", io.MultiReader(strings.NewReader(soundChinese), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
	require.Equal(t, CannotRead, requireError(t, err).Problem)
}

func TestFileNameWithControlCharacters(t *testing.T) {
	_, err := Read("a\x1b[31m.csv", strings.NewReader(""))
	require.NotContains(t, err.Error(), "\x1b")
	require.NotContains(t, requireError(t, err).Chinese(), "\x1b")
}

func TestDay(t *testing.T) {
	parcels, err := Day()
	require.NoError(t, err)
	require.Len(t, parcels, 200)
	by := map[Tender]int{}
	least, most := parcels[0].Fen, parcels[0].Fen
	for _, p := range parcels {
		by[p.Tender]++
		least, most = min(least, p.Fen), max(most, p.Fen)
		require.Regexp(t, `^TS7402\d{6}$`, p.Waybill)
		require.Regexp(t, `^1\d\d\*{4}\d{4}$`, p.Phone)
		require.NotEmpty(t, p.Recipient)
	}
	require.Equal(t, map[Tender]int{Card: 80, QR: 50, Cash: 70}, by)
	require.Equal(t, []int64{990, 499900}, []int64{least, most})
}

// requireSentence checks what every text of an error must be.
func requireSentence(t *testing.T, e *Error) {
	t.Helper()
	for _, text := range []string{e.Error(), e.Chinese()} {
		require.NotContains(t, text, "%!", "a format verb does not match")
		require.NotContains(t, text, "\n")
		require.Contains(t, text, filepath.Base(e.File))
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(soundChinese))
	f.Add([]byte("\uFEFF" + englishHeader + "A1,\"L\"\"i\",1,Road 1,5.5,card\n"))
	f.Add([]byte("运单号,地址,代收货款,付款方式\nA1,\"a\nb\",1,刷卡\n"))
	f.Add([]byte("waybill,address,amount,tender\nA1,\xd4\xc6\xb6\xc9,1,qr\n"))
	f.Add([]byte("waybill,address,amount,tender\nA1,x\",1,qr\n\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		parcels, err := Read("fuzz.csv", strings.NewReader(string(data)))
		if err != nil {
			e := requireError(t, err)
			require.Nil(t, parcels)
			require.GreaterOrEqual(t, e.Line, 1)
			require.GreaterOrEqual(t, e.Column, 0)
			requireSentence(t, e)
			return
		}
		require.NotEmpty(t, parcels)
		require.LessOrEqual(t, len(parcels), MaxParcels)
		seen := map[string]bool{}
		for _, p := range parcels {
			require.False(t, seen[p.Waybill])
			seen[p.Waybill] = true
			require.NotEmpty(t, p.Waybill)
			require.NotEmpty(t, p.Address)
			require.True(t, p.Fen >= MinFen && p.Fen <= MaxFen)
			require.Contains(t, Tenders, p.Tender)
			require.GreaterOrEqual(t, p.Line, 2)
		}
	})
}
