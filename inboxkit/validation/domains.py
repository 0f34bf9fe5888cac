"""Words and names that say what an address is: roles, services for a moment, large services.

Gathered by hand from what the services say of themselves; role names begin with RFC 2142.
"""

from __future__ import annotations

ROLES = frozenset(
    """
    abuse accounting accounts admin administrator all billing bounce bounces careers compliance
    contact contracts customerservice devnull dns do-not-reply donotreply editor enquiries
    everyone feedback finance ftp hello help helpdesk hostmaster hr info inoc inquiries
    investors ispfeedback it jobs legal list list-request mail mailer-daemon maildaemon
    marketing media news newsletter no-reply noc noreply null office operations orders phish
    phishing postmaster pr press privacy purchasing recruiting registrar remove request root
    sales secretary security service shop spam staff subscribe support sysadmin team tech
    undisclosed-recipients unsubscribe usenet uucp webmaster www
    """.split()
)

DISPOSABLE = frozenset(
    """
    0-mail.com 10minutemail.com 10minutemail.net 1secmail.com 1secmail.net 1secmail.org
    20minutemail.com 33mail.com anonbox.net anonymbox.com burnermail.io cock.li crazymailing.com
    deadaddress.com discard.email discardmail.com discardmail.de dispostable.com dodgit.com
    dropmail.me e4ward.com emailondeck.com emailsensei.com emailtemporanea.com emltmp.com
    fakeinbox.com fakemail.net filzmail.com getairmail.com getnada.com grr.la guerrillamail.biz
    guerrillamail.com guerrillamail.de guerrillamail.info guerrillamail.net guerrillamail.org
    guerrillamailblock.com harakirimail.com hidemail.de inboxalias.com inboxbear.com
    incognitomail.org jetable.org kasmail.com linshiyouxiang.net mail-temp.com
    mail-temporaire.fr mail.tm mailcatch.com maildrop.cc mailexpire.com mailinater.com
    mailinator.com mailinator.net mailinator2.com mailmoat.com mailnesia.com mailnull.com
    mailpoof.com mailsac.com mailtemp.net mailtothis.com mintemail.com moakt.cc moakt.com
    mohmal.com mvrht.net mytemp.email mytrashmail.com nada.email no-spam.ws nospamfor.us
    nowmymail.com objectmail.com pokemail.net rcpt.at safetymail.info sharklasers.com
    sogetthis.com spam4.me spamavert.com spambog.com spambox.us spamcowboy.com spamex.com
    spamfree24.org spamgourmet.com spamherelots.com spamhole.com spaml.com spamspot.com
    suremail.info temp-mail.io temp-mail.org tempail.com tempemail.co tempinbox.com tempmail.com
    tempmail.dev tempmail.net tempmailo.com tempomail.fr temporaryemail.net temporaryinbox.com
    thankyou2010.com throwam.com throwawaymail.com tmail.io tmpmail.net tmpmail.org
    trash-mail.com trash-mail.de trashmail.at trashmail.com trashmail.de trashmail.me
    trashmail.net trbvm.com wegwerfemail.de wegwerfmail.de wegwerfmail.net wegwerfmail.org
    yopmail.com yopmail.fr yopmail.net zehnminutenmail.de
    """.split()
)

LARGE = frozenset(
    """
    163.com aol.com att.net bellsouth.net btinternet.com comcast.net cox.net daum.net
    earthlink.net fastmail.com free.fr freenet.de gmail.com gmx.at gmx.com gmx.de gmx.net
    googlemail.com hotmail.com hotmail.co.uk hotmail.fr icloud.com laposte.net libero.it
    live.com mail.com mail.ru mac.com me.com msn.com naver.com orange.fr outlook.com proton.me
    protonmail.com qq.com rambler.ru rediffmail.com sbcglobal.net seznam.cz sky.com t-online.de
    uol.com.br verizon.net wanadoo.fr web.de yahoo.ca yahoo.com yahoo.co.in yahoo.co.jp
    yahoo.co.uk yahoo.de yahoo.fr yandex.com yandex.ru ymail.com zoho.com
    """.split()
)

# Ends that nobody has, or that hardly anybody means, and what they are written for.
MISSPELT = {
    wrong: right
    for right, several in {
        "com": "c cm co col com.com comm con coom cok cmo cim om ocm vom xom",
        "net": "ne nett nte met",
        "co.uk": "co.k co.ku cou.k couk uk.co",
        "de": "ed dee",
        "fr": "ff rf",
    }.items()
    for wrong in several.split()
}

# Some of these are countries' own: a short name there is likely to be somebody's.
COUNTRIES = frozenset(("cm", "co", "ne", "om"))

# Domains of others that are one letter away from a large one.
REAL = frozenset(("gail.com", "never.com", "photon.com"))
