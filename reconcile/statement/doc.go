// Package statement reads an acquirer's statement file and holds it against the
// journal.
//
//	m, err := statement.ParseMapping(table)
//	lines := statement.Read(file, m)
//	for d, err := range statement.Diff(q.All(ctx, queue.Filter{Lane: lane}), lines, nil) { … }
//
// # The mapping
//
// A table in text says where in the file things stand, a line each; a line that
// begins with # is a comment, and a word with blanks stands in quotes.
//
//	encoding   gb18030              utf-8 (the default) or gb18030, which GBK is part of
//	separator  comma                the default; or semicolon, tab, bar
//	skip       4                    lines above the header
//	header     yes                  the default; no: columns are named by number only
//	end        合计                  a record whose first cell begins so is not read, nor what follows
//	currency   156                  ISO 4217; the default
//	decimals   2                    of yuan; the default is that of the currencies that package
//	                                queue names, for another one it is required with yuan
//	zone       +08:00               the default
//
//	amount     交易金额   yuan         required; yuan or fen
//	net        清算金额   yuan         what the acquirer pays out; amount less net is the fee
//	fee        手续费    yuan         instead of net: what the acquirer keeps
//	terminal   终端号                 terminal, batch and stan together name a transaction
//	batch      批次号
//	stan       流水号
//	rrn        #7                   column 7; names a transaction, too
//	ref        商户订单号              and so does the app's own id
//	merchant   商户号
//	card       卡号                  masked as it is read
//	kind       交易类型   消费=sale 撤销=void 退货=refund 冲正=reversal 查询=skip
//	date       交易日期   20060102     in Go's notation; date and time may be one column
//	time       交易时间   15:04:05
//
// Yuan stands for the major unit of the currency, fen for its minor one. An
// amount is read digit by digit as an integer: an optional sign, ¥ or ￥,
// commas between thousands, 元 behind it. One that has more decimals than the
// currency, or does not fit 64 bits, is refused, not rounded.
//
// Where there is a kind, sale amounts are what the merchant gets, void and
// refund amounts what he gives back, whatever their sign. Where there is none
// the sign tells. A reversal takes back the line of the same transaction and
// amount. Each blank in front of a cell or behind it, and each mark that keeps
// a spreadsheet from reading a number (`123, '123, ="123"), is dropped.
package statement
