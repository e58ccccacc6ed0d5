package screen_test

import (
	"fmt"
	"os"

	"github.com/tallystick/tallystick/examples/courier/route"
	"github.com/tallystick/tallystick/examples/courier/screen"
)

func Example() {
	lang, err := screen.Language("zh", os.Getenv)
	if err != nil {
		fmt.Println(err)
		return
	}
	s := screen.New(os.Stdout, lang)
	s.Begin(screen.Day{Route: "day.csv", Parcels: 1, Fen: 990, Seed: 1, Kills: 1})
	s.Kill(screen.InAttempt)
	s.Restart(1)
	s.ParcelDone(route.Cash, 990)
	if err := s.Close(); err != nil {
		fmt.Println(err)
	}
	fmt.Println(screen.Verdict(1, 1, 0, 0, 0))
	// Output:
	// 快递员的一天，路线 day.csv：1 个包裹，应收 9.90 元
	// 随机种子 1，计划强杀 1 次，请求和应答各丢失 0%
	// [0/1] 第 1 次强杀（共 1 次）：手持终端在发送请求途中被杀死
	// [0/1] 手持终端已重启，发现未决交易 1 笔
	// [1/1] 已收 1 笔（9.90）：刷卡 0 笔（0.00），扫码 0 笔（0.00），现金 1 笔（9.90）；已上送 0 笔，待上送 0 笔
	// taken 1, at the host 1, lost 0, doubled 0, different 0
}

func ExampleScreen_Compare() {
	s := screen.New(os.Stdout, screen.English)
	two := screen.Figure{Count: 2, Fen: 45540}
	s.Compare([]screen.Row{{Category: screen.CardOnline, Acknowledged: two, Journal: two, Host: two}}, nil)
	// Output:
	// yuan             acknowledged          journal             host
	//                count      sum   count      sum   count      sum
	// ---------------------------------------------------------------
	// card, online       2   455.40       2   455.40       2   455.40
	//
	// All three agree, entry by entry.
}
