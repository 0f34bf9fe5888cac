"""Reply HTML: the quotes of each client are taken out, the words of the reply stay."""

from __future__ import annotations

import pytest

from inboxkit.parsing.reply import split_reply

# One original in the way each client wraps it; it stands below "<div>Fine by me.</div>".
QUOTES = {
    "gmail": '<br><div class="gmail_quote gmail_quote_container"><div dir="ltr" class="gmail_attr">On Tue, Mar 4, 2025 at '
    '9:15 AM Ana &lt;<a href="mailto:ana@shop.example">ana@shop.example</a>&gt; wrote:<br></div><blockquote '
    'class="gmail_quote" style="margin:0 0 0 .8ex"><div dir="ltr">ORIGINAL</div></blockquote></div>',
    "gmail-unlisted-language": '<div class="gmail_quote"><div class="gmail_attr">Qwex zulp vorm Ana<br></div>'
    '<blockquote class="gmail_quote">ORIGINAL</blockquote></div>',
    "gmail-2015": '<div class="gmail_extra"><br><div class="gmail_quote">2015-03-04 9:15 GMT+01:00 Ana <span dir="ltr">'
    '&lt;<a>ana@shop.example</a>&gt;</span>:<br><blockquote class="gmail_quote">ORIGINAL</blockquote></div><br></div>',
    "apple": '<div><br><blockquote type="cite"><div>On 4 Mar 2025, at 09:15, Ana &lt;ana@shop.example&gt; wrote:</div>'
    '<br class="Apple-interchange-newline"><div>ORIGINAL</div></blockquote></div>',
    "ios": '<div dir="ltr"><br><blockquote type="cite">On 4 Mar 2025, at 09:15, Ana wrote:<br><br></blockquote></div>'
    '<blockquote type="cite"><div dir="ltr">ORIGINAL</div></blockquote>',
    "thunderbird": '<div class="moz-cite-prefix">Am 04.03.25 um 09:15 schrieb Ana:<br></div>'
    '<blockquote type="cite" cite="mid:1@shop.example">ORIGINAL</blockquote>',
    "owa": '<div id="appendonsend"></div><hr style="display:inline-block;width:98%" tabindex="-1"><div id="divRplyFwdMsg" '
    'dir="ltr"><font><b>From:</b> Ana &lt;ana@shop.example&gt;<br><b>Sent:</b> Tuesday, March 4, 2025 9:15 AM<br><b>To:</b> '
    'Bo<br><b>Subject:</b> Order</font><div>&nbsp;</div></div><div><p>ORIGINAL</p></div>',
    "owa-in-owa": '<hr id="x_stopSpelling"><div id="x_divRplyFwdMsg"><b>Qwex:</b> Ana<br><b>Zulp:</b> now</div><div>ORIGINAL</div>',
    "outlook-desktop": "<p class=MsoNormal><o:p>&nbsp;</o:p></p><div><div style='border:none;border-top:solid #E1E1E1 1.0pt;"
    "padding:3.0pt 0cm 0cm 0cm'><p class=MsoNormal><b>Von:</b> Ana &lt;ana@shop.example&gt; <br><b>Gesendet:</b> Dienstag, "
    "4. März 2025 09:15<br><b>An:</b> Bo<br><b>Betreff:</b> Frage<o:p></o:p></p></div></div><p class=MsoNormal>ORIGINAL</p>",
    "outlook-mac": '<div style="border:none;border-top:solid #B5C4DF 1.0pt"><p><b><span>De : </span></b><span>Ana &lt;ana@shop'
    '.example&gt;<br><b>Date : </b>mardi 4 mars 2025 à 09:15<br><b>À : </b>Bo<br><b>Objet : </b>Frage</span></p></div>'
    "<div><p>ORIGINAL</p></div>",
    "outlook-mobile": '<div id="mail-editor-reference-message-container"><div><hr><div><b>From:</b> Ana<br><b>Sent:</b> '
    "Tuesday<br></div><div>ORIGINAL</div></div></div>",
    "outlook-android": '<div id="ms-outlook-mobile-signature">Get <a href="https://aka.example/x">Outlook for Android</a></div>'
    '<hr><div id="divRplyFwdMsg"><strong>From:</strong> Ana<br><strong>Sent:</strong> Tue</div>ORIGINAL',
    "hotmail-2012": '<div><hr id="stopSpelling">Date: Tue, 4 Mar 2025 09:15:22 +0100<br>From: ana@shop.example<br>To: '
    "bo@b.example<br>Subject: Order<br><br>ORIGINAL</div>",
    "yahoo": '<div id="yahoo_quoted_123" class="yahoo_quoted"><div style="font-size:13px"><div>On Tuesday, March 4, 2025, '
    "09:15:22 AM GMT+1, Ana &lt;ana@shop.example&gt; wrote:</div><div><br></div><div>ORIGINAL</div></div></div>",
    "yahoo-new": '<div id="ydp1a2b3cyahoo_quoted_99" class="ydp1a2b3cyahoo_quoted"><div>Em terça-feira, Ana escreveu:</div>'
    "<div>ORIGINAL</div></div>",
    "proton": '<div class="protonmail_quote">On Tuesday, March 4th, 2025 at 9:15 AM, Ana &lt;ana@shop.example&gt; wrote:<br>'
    '<blockquote class="protonmail_quote" type="cite">ORIGINAL</blockquote></div>',
    "zimbra": '<hr id="zwchr" data-marker="__DIVIDER__"><div data-marker="__HEADERS__"><b>De: </b>"Ana" &lt;ana@shop.example&gt;'
    '<br><b>À: </b>"Bo"<br><b>Envoyé: </b>Mardi 4 Mars 2025 09:15:22<br><b>Objet: </b>Frage<br></div>'
    '<div data-marker="__QUOTED_TEXT__">ORIGINAL</div>',
    "gmx": '<div name="quote" style="margin:10px 5px 5px 10px;border-left:2px solid #C3D9E5"><div><b>Gesendet:</b> Dienstag'
    '<br><b>Von:</b> "Ana" &lt;ana@shop.example&gt;<br><b>Betreff:</b> Frage</div><div name="quoted-content">ORIGINAL</div></div>',
    "yandex": "<div>04.03.2025, 09:15, \"Анна\" &lt;ana@shop.example&gt;:</div><blockquote><div>ORIGINAL</div></blockquote>",
    "mailru": '<br><blockquote style="border-left:1px solid #0857A6; margin:10px; padding:0 0 0 10px;">Вторник, 4 марта 2025, '
    "9:15 +03:00 от Анна &lt;ana@shop.example&gt;:<br><div>ORIGINAL</div></blockquote>",
    "qq": '<div><br></div><div style="font-size:12px;padding:2px 0;">------------------&nbsp;原始邮件&nbsp;------------------</div>'
    "<div style=\"background:#efefef\"><div><b>发件人:</b> \"Ana\" &lt;ana@shop.example&gt;;</div><div><b>发送时间:</b> 2025年3月4日"
    "</div><div><b>主题:</b> 订单</div></div><div>ORIGINAL</div>",
    "netease": '<br><p>在 2025-03-04 09:15:22，"Ana" &lt;ana@shop.example&gt; 写道：</p><blockquote id="isReplyContent" '
    'style="padding-left:1ex">ORIGINAL</blockquote>',
    "zoho": '<div class="zmail_extra"><br><div id="Zm-_Id_-Sgn1">---- On Tue, 04 Mar 2025 09:15:22 +0100 <b>Ana &lt;ana@shop'
    ".example&gt;</b> wrote ----<br></div><br><blockquote><div>ORIGINAL</div></blockquote></div>",
    "tutanota": '<div>4 Mar 2025, 09:15 by ana@shop.example:<br></div><blockquote class="tutanota_quote">ORIGINAL</blockquote>',
    "roundcube": '<p id="reply-intro">On 2025-03-04 09:15, Ana wrote:</p><blockquote type="cite"><div>ORIGINAL</div></blockquote>',
    "fastmail": '<div>On Tue, 4 Mar 2025, at 9:15 AM, Ana wrote:</div><blockquote type="cite" id="qt">ORIGINAL</blockquote>',
    "samsung": '<div><br></div><div align="left"><div>-------- Messaggio originale --------</div><div>Da: Ana &lt;ana@shop.example'
    "&gt; </div><div>Data: 04/03/25  09:15  (GMT+01:00) </div><div>A: Bo </div><div>Oggetto: Ordine </div></div><div>ORIGINAL</div>",
    "spark": '<div name="messageReplySection">On 4 Mar 2025, 9:15 AM +0100, Ana &lt;ana@shop.example&gt;, wrote:<br>'
    '<blockquote type="cite">ORIGINAL</blockquote></div>',
    "missive": '<div class="missive_quote"><div>On March 4, 2025 Ana &lt;ana@shop.example&gt; wrote:</div>ORIGINAL</div>',
    "k9": '<div class="gmail_quote"><div dir="auto">Ana &lt;ana@shop.example&gt; schrieb:</div><blockquote class="gmail_quote">'
    "ORIGINAL</blockquote></div>",
    "notes": "<br><font size=1>From: </font><font>&quot;Ana&quot; &lt;ana@shop.example&gt;</font><br><font>To: </font><font>Bo"
    "</font><br><font>Date: </font><font>03/04/2025 09:15 AM</font><br><font>Subject: </font><font>Order</font><br><hr noshade>"
    "<br><br>ORIGINAL",
    "hr": "<hr><p><b>From:</b> Ana &lt;ana@shop.example&gt;<br><b>Sent:</b> 4 March 2025<br></p><p>ORIGINAL</p>",
    "head-in-table": "<hr><table><tr><td>Von:</td><td>Ana</td></tr><tr><td>Datum:</td><td>4.3.2025 9:15</td></tr><tr><td>An:</td>"
    "<td>bo@b.example</td></tr><tr><td>Betreff:</td><td>Frage</td></tr></table><p>ORIGINAL</p>",
    "plain-divs": "<div><br></div><div>On 3/4/25 09:15, Ana wrote:</div><div>&gt; ORIGINAL</div><div>&gt; Ana</div>",
    "unclosed": '<div class=gmail_quote><div class=gmail_attr>On 3/4/25 09:15, Ana wrote:<br><blockquote class=gmail_quote>ORIGINAL',
}

# Whole pages: HTML, the words of the reply.
PAGES = {
    "gmail-inline": (
        '<div class="gmail_quote"><div class="gmail_attr">On 3/4/25 09:15, Ana wrote:<br></div><blockquote class="gmail_quote">'
        'Which size?</blockquote><div>Large.</div><blockquote class="gmail_quote">Which colour?</blockquote><div>Blue.</div></div>',
        "Large.\nBlue."),
    "bottom-post": (
        '<body><div class="moz-cite-prefix">On 3/4/25 09:15, Ana wrote:<br></div><blockquote type="cite"><p>Which size?</p>'
        "</blockquote><p>Large.</p></body>", "Large."),
    "gmail-forward": (
        '<div dir="ltr"><br><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">---------- Forwarded message ---------<br>'
        'From: <strong>Ana</strong> &lt;ana@shop.example&gt;<br>Date: Tue, Mar 4, 2025 at 9:15 AM<br>Subject: Order<br>To: &lt;'
        "bo@b.example&gt;<br></div><br><br><div>Bread, please.</div></div></div>", "Bread, please."),
    "gmail-forward-with-words": (
        '<div>Yours?</div><div class="gmail_quote"><div class="gmail_attr">---------- Forwarded message ---------<br>From: Ana '
        "&lt;ana@shop.example&gt;<br>Date: Tue, Mar 4, 2025 at 9:15 AM<br>Subject: Order<br></div><div>Bread.</div></div>", "Yours?"),
    "apple-forward": (
        '<div><br><blockquote type="cite"><div>Begin forwarded message:</div><br><div><b>From: </b>Ana &lt;ana@shop.example&gt;</div>'
        "<div><b>Subject: </b>Order</div><div><b>Date: </b>4 March 2025 at 09:15:22 CET</div><div><b>To: </b>bo@b.example</div><br>"
        "<div>Bread, please.</div></blockquote></div>", "Bread, please."),
    "outlook-forward": (
        '<div><hr><div id="divRplyFwdMsg"><b>From:</b> Ana<br><b>Sent:</b> Tue<br><b>To:</b> Bo<br><b>Subject:</b> Order</div>'
        "<p>Bread, please.</p></div>", "Bread, please."),
    "empty-reply": (
        '<div class="gmail_quote"><div class="gmail_attr">On 3/4/25 09:15, Ana wrote:</div><blockquote class="gmail_quote">Well?'
        "</blockquote></div>", ""),
    "citation": ("<p>As the poet says:</p><blockquote>Bread is good.</blockquote><p>I agree.</p>",
        "As the poet says:\n\n> Bread is good.\n\nI agree."),
    "newsletter": ("<table><tr><td><h1>News</h1></td></tr><tr><td style='border-top:1px solid #ccc'>Bread is cheap.</td></tr>"
        "<tr><td><hr>Buy now</td></tr></table>", "News\n\nBread is cheap.\nBuy now"),
    "script-and-style": ("<style>p{color:red}</style><title>t</title><p>Hi</p><script>if (a<b) x('>');</script><!-- <p>no</p> -->",
        "Hi"),
    "entities": ("<p>5 &lt; 6 &amp; 7&nbsp;&euro; &#233; &unknown; AT&T</p>", "5 < 6 & 7 € é &unknown; AT&T"),
    "preformatted": ("<pre>Yes.\n\n  indented\n\nOn 3/4/25 09:15, Ana wrote:\n&gt; Well?</pre>", "Yes.\n\nindented"),
    "list": ("<ul><li>bread</li><li>milk</li></ul>", "- bread\n- milk"),
}


@pytest.mark.parametrize("quote", QUOTES.values(), ids=QUOTES.keys())
def test_quote_of_a_client_is_taken_out(quote: str) -> None:
    reply = split_reply("", f"<html><body><div>Fine <b>by</b> me.</div>{quote}</body></html>")
    assert reply.text == "Fine by me."
    assert "Fine <b>by</b> me." in reply.html
    assert "ORIGINAL" not in reply.html
    assert reply.html.count("<div") == reply.html.count("</div")


@pytest.mark.parametrize(("html", "text"), PAGES.values(), ids=PAGES.keys())
def test_words_of_a_page(html: str, text: str) -> None:
    assert split_reply("", html).text == text
