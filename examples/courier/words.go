package main

import "github.com/tallystick/tallystick/examples/courier/screen"

// reason says in what way a row of the comparison disagrees.
type reason uint8

const (
	agrees reason = iota
	notJournalled
	notStanding
	missingAtHost
	standsUnasked
	neverAcknowledged
	notOurs
	toldTwice
	otherContent
	otherState
	otherKind
	otherAmount
	otherCurrency
	otherVoid
	otherRefund
	otherOriginal
	answeredOtherwise
	otherNumbers
	otherTender
	otherCard
	otherMerchant
	otherRRN
	otherReversal
	openReversal
	notPaid
	paidTwice
	noReversal
	unknownReversal
	conflict
	notSettled
	reasons
)

// words are what the program itself says, in one language; the screen has the
// rest. The verbs are the same in each.
type words struct {
	about, extra, badFlag      string
	badKills, badLoss, noKeep  string
	keepFull, noTemp, noSelf   string
	died, silent, interrupted  string
	unsettled, verify          string
	fewTaken, fewReversals     string
	noJournal, noLedger, noCSV string
	noReport, dayTitle, noLine string
	flags                      map[string]string
	reasons                    [reasons]string
}

func wordsOf(l screen.Lang) *words {
	if l == screen.Chinese {
		return &chinese
	}
	return &english
}

var english = words{
	about: `courier lives a courier's day: payments, outages, kills, settlement, comparison.
Also: courier handset -help, courier acquirer -help`,
	extra:        "the argument %q is not expected: give flags, or the commands handset or acquirer; -help lists them",
	badFlag:      "%v; -help lists the flags",
	badKills:     "-kills is a number from 0 to 1000",
	badLoss:      "-loss is a probability from 0 to 0.5, such as 0.1",
	noKeep:       "the folder %s of -keep cannot be used (%v); give one that you can write to",
	keepFull:     "the folder %s of -keep is not empty; give a new one, so that no two days are mixed",
	noTemp:       "no temporary folder can be made (%v); give one with -keep",
	noSelf:       "the program cannot start itself again (%v); build it with go build and run that",
	died:         "the process %s ended by itself: %s",
	silent:       "the process %s has said nothing for a minute; that is a defect",
	interrupted:  "interrupted; the day's files are in %s",
	unsettled:    "terminal %s could not be settled: %s",
	verify:       "the journal does not verify: %v",
	fewTaken:     "only %d sales were taken, a day on the shipped route has 150 at least",
	fewReversals: "only %d reversals took place, a day with losses on the shipped route has 5 at least",
	noJournal:    "the journal cannot be read after the day: %v",
	noLedger:     "the acquirer's ledger cannot be read after the day: %v",
	noReport:     "the day's report cannot be written to %s (%v); free some space or give another -keep",
	noLine:       "the primary line to the acquirer cannot be opened (%v); free the port, or run the day again",
	dayTitle:     "A courier's day",
	noCSV:        "the list of what was acknowledged cannot be written to %s (%v); free some space or give another -keep",
	flags: map[string]string{
		"seed":  "the day's `chance`; by default drawn and printed",
		"kills": "how `often` the handset is killed",
		"loss":  "`probability` that a request is lost, and that an answer is",
		"route": "CSV `file` of parcels; by default the one that ships with the program",
		"keep":  "keep the day's files in this `folder`; by default a temporary one, removed when all agrees",
		"lang":  "language of what it says: `zh|en`; default by the locale",
	},
	reasons: [reasons]string{
		notJournalled:     "not in the journal",
		notStanding:       "does not stand at the host",
		missingAtHost:     "accepted by the journal, not at the host",
		standsUnasked:     "stands at the host, but was not acknowledged as taken",
		neverAcknowledged: "stands at the host, but was never acknowledged",
		notOurs:           "stands at the host without an entry in the journal",
		toldTwice:         "acknowledged twice",
		otherContent:      "the journal has other content than was asked for",
		answeredOtherwise: "the handset answered about something else than was asked for",
		otherNumbers:      "the handset acknowledged other numbers than the journal has",
		otherTender:       "the host has it as paid by other means",
		otherCard:         "the host has another card",
		otherMerchant:     "the host has another merchant",
		otherRRN:          "the host has another reference number or authorisation",
		otherReversal:     "its reversal is of something else, or is not in the journal",
		openReversal:      "its reversal is not final in the journal",
		notPaid:           "handed over without a payment",
		paidTwice:         "paid for more than once",
		otherState:        "the journal's state is another",
		otherKind:         "the host has it as another kind",
		otherAmount:       "the host has another amount",
		otherCurrency:     "the host has another currency",
		otherVoid:         "only one side has it voided",
		otherRefund:       "another sum is refunded at the host",
		otherOriginal:     "the host has it for another original",
		noReversal:        "its reversal has no trace at the host",
		unknownReversal:   "the host has a reversal that is not in the journal",
		notSettled:        "the host has not closed this batch in agreement",
		conflict:          "the host was sent other content under this number",
	},
}

var chinese = words{
	about: `courier：快递员的一天：收款、断网、强杀、结算、对账。
另有：courier handset -help，courier acquirer -help`,
	extra:        "多余的参数 %q：请给出选项，或命令 handset、acquirer；用 -help 查看",
	badFlag:      "%v；用 -help 查看选项",
	badKills:     "-kills 是 0 至 1000 的整数",
	badLoss:      "-loss 是 0 至 0.5 的概率，例如 0.1",
	noKeep:       "-keep 的文件夹 %s 无法使用（%v）；请指定一个可写的文件夹",
	keepFull:     "-keep 的文件夹 %s 不是空的；请指定新的文件夹，以免两天的数据混在一起",
	noTemp:       "无法建立临时文件夹（%v）；请用 -keep 指定一个",
	noSelf:       "程序无法再次启动自身（%v）；请先用 go build 编译再运行",
	died:         "进程 %s 自行结束：%s",
	silent:       "进程 %s 一分钟没有任何输出；这是程序缺陷",
	interrupted:  "已中断；当天的文件在 %s",
	unsettled:    "终端 %s 无法结算：%s",
	verify:       "流水日志校验不通过：%v",
	fewTaken:     "只收了 %d 笔；自带路线的一天至少应有 150 笔",
	fewReversals: "只发生了 %d 笔冲正；自带路线在有丢包的一天至少应有 5 笔",
	noJournal:    "收工后无法读取流水日志：%v",
	noLedger:     "收工后无法读取收单主机的账本：%v",
	noReport:     "当天的报告无法写入 %s（%v）；请清理空间，或用 -keep 指定别处",
	noLine:       "到收单主机的主线路无法打开（%v）；请释放端口，或重新运行",
	dayTitle:     "快递员的一天",
	noCSV:        "已确认清单无法写入 %s（%v）；请清理空间，或用 -keep 指定别处",
	flags: map[string]string{
		"seed":  "当天的随机`种子`；默认随机产生并打印",
		"kills": "强杀手持终端的`次数`",
		"loss":  "请求丢失的`概率`，应答也按同样概率丢失",
		"route": "包裹 CSV `文件`；默认用程序自带的路线",
		"keep":  "把当天的文件保留在此`文件夹`；默认用临时文件夹，全部一致时删除",
		"lang":  "提示语言 `zh|en`；默认取自系统区域设置",
	},
	reasons: [reasons]string{
		notJournalled:     "流水日志中没有",
		notStanding:       "主机账上不成立",
		missingAtHost:     "流水日志记为已受理，主机没有",
		standsUnasked:     "主机账上成立，但终端并未确认收款",
		neverAcknowledged: "主机账上成立，但终端从未应答",
		notOurs:           "主机账上成立，但流水日志中没有",
		toldTwice:         "被确认了两次",
		otherContent:      "流水日志的内容与所要求的不同",
		answeredOtherwise: "终端应答的内容与所要求的不同",
		otherNumbers:      "终端确认的编号与流水日志不同",
		otherTender:       "主机记的付款方式不同",
		otherCard:         "主机记的卡不同",
		otherMerchant:     "主机记的商户不同",
		otherRRN:          "主机的参考号或授权码不同",
		otherReversal:     "冲正与原交易不符，或流水日志中没有",
		openReversal:      "流水日志中的冲正没有结果",
		notPaid:           "交付了包裹却没有收款",
		paidTwice:         "同一包裹收了不止一次款",
		otherState:        "流水日志的状态不同",
		otherKind:         "主机记为另一种交易",
		otherAmount:       "主机的金额不同",
		otherCurrency:     "主机的币种不同",
		otherVoid:         "只有一方记为已撤销",
		otherRefund:       "主机的已退金额不同",
		otherOriginal:     "主机记的原交易不同",
		noReversal:        "主机上没有这笔冲正的痕迹",
		unknownReversal:   "主机有一笔流水日志中没有的冲正",
		notSettled:        "主机尚未平账结束该批次",
		conflict:          "以同一流水号向主机发送过不同内容",
	},
}
