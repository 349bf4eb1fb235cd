"""The words that a paraphrase is told by: short lists of everyday ones; see `paraphrases`."""

import re


def _in_order(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def listed(text: str) -> frozenset[str]:
    """Words that stand in a list."""
    return frozenset(text.split())


def _phrases(text: str) -> list[tuple[str, ...]]:
    """The longest first."""
    return sorted(
        (tuple(phrase.split()) for phrase in re.split(r"\||\n", text) if phrase.strip()), key=len, reverse=True
    )


LIGHT_WORDS = listed(
    """a an the this that these those some any is are was were be been being am do does did done can could would will
    shall should may might must i you me we us it its of for to in at on by as with and or so just also very really
    actually quite now yet already still then there here what which have has had get got if please thanks
    der die das ein eine einen einem den dem des ist sind war bitte danke hallo mal doch denn ich mir du sie es zu und
    le la les un une des du de d l est sont je vous il svp merci bonjour s'il plait te plaît que qu
    el los las una unos es son yo por favor gracias hola lo un uno o os as um uma obrigado per il gli uno una di
    \u8bf7 \u8acb \u4f60 \u60a8 \u597d \u7684 \u4e86 \u5417 \u5462 \u3067 \u3059 \u306f \u3092 \u304c \u306e \u304b"""
)
BEFORE = _phrases(
    """hi|hello|hey|dear sir or madam|dear sir|dear team|dear|please|kindly|excuse me|sorry|quick question|good morning
    good afternoon|good evening|hi there|hello there|can you please tell me|can you tell me|could you please tell me
    could you tell me|would you please tell me|could you please|can you please|would you please|please tell me|tell me
    could you help me|can you help me|please help me|could you help|can you help|please help|i need help
    i need some help|help me|i would like to know|i want to know|i need to know|do you know
    i was wondering|i am wondering|i wonder|let me know|may i ask|can i ask|i have a question|a question
    bitte|hallo|guten tag|kannst du mir sagen|konnen sie mir sagen|konnten sie mir bitte sagen|bonjour|s il vous plait
    pouvez vous me dire|hola|por favor|puede decirme|me puede decir|ciao|per favore|buongiorno|ola|hoi
    \u8bf7 \u95ee|\u8bf7|\u4f60 \u597d|\u60a8 \u597d|\u8acb \u554f|\u3059 \u307f \u307e \u305b \u3093"""
)
AFTER = _phrases(
    """please|thanks|thank you|thanks a lot|many thanks|thank you very much|thank you so much|thanks in advance
    thank you in advance|thanks so much|thanks for your help|thank you for your help|thx|pls|plz|please help
    please advise|can you help|can you help me|could you help|cheers|kind regards|best regards|asap
    bitte|danke|vielen dank|danke schon|merci|merci d avance|merci beaucoup|s il vous plait|gracias|por favor
    muchas gracias|grazie|per favore|obrigado|obrigada
    alvast bedankt|bedankt|dank je wel|\u8c22 \u8c22|\u8b1d \u8b1d"""
)


# What a template puts before a colon, ahead of the question and where the answer begins: `### Instruction:`, `A:`.
ASKED_UNDER = (
    "(?:(?:the|user|customer|following) )?"
    "(?:question|instruction|request|prompt|query|input|user|human|task|q|frage|pregunta|domanda|pergunta|vraag)"
)
ANSWERED_UNDER = listed(
    """answer response output completion assistant reply result a antwort reponse respuesta risposta resposta
    antwoord"""
)


SPELT = _in_order(
    """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen twenty"""
)
TENS = _in_order("thirty forty fifty sixty seventy eighty ninety")
SAME_WORD = {
    **{word: str(number) for number, word in enumerate(SPELT)},
    **{word: str(10 * number) for number, word in enumerate(TENS, 3)},
    "&": "and",
    "which": "what",
}
NEGATIONS = listed(
    """not no never without neither nor none nothing nobody nowhere hardly nicht kein keine keinen keiner keinem nie
    niemals ohne pas jamais sans aucun aucune nunca sin nao sem niet geen nooit zonder senza mai ne non
    \u4e0d \u6ca1 \u6c92 \u65e0 \u7121 \u672a \u522b \u975e"""
)
QUESTION_WORDS = listed(
    """what why how where when who whom whose warum wieso wie wo wann wer pourquoi comment quand qui por donde cuando
    quien como perche dove quando chi waarom hoe waar wanneer wie"""
)
CONTRACTED = listed(
    "cannot dont didnt doesnt hasnt havent hadnt isnt wasnt arent werent cant wont couldnt wouldnt shouldnt"
)
# What stands on one side of a line does not stand for what is on its other sides: who swaps them means something else.
OPPOSITES = """
on | off
in into | out | from
to | from
up | down
with | without
before | after | during
above over | below under
open | close shut
start begin | stop end finish
add append | remove delete subtract
insert create | delete destroy remove
enable | disable
increase rise raise | decrease fall reduce
buy purchase | sell
send | receive
sent | received
deposit | withdraw withdrawal
accept | reject decline deny refuse
allow permit | deny block forbid
show | hide
import | export
push | pull
upload | download
encrypt | decrypt
encode | decode
ascending asc | descending desc
win | lose
won | lost
good best better | bad worst worse
same | different
always | never | sometimes
all | none
hot warm | cold
big large | small little
bigger larger | smaller
biggest largest | smallest
long longer longest | short shorter shortest
fast faster fastest | slow slower slowest
high | low
higher | lower
highest most maximum max | lowest least fewest minimum min | average avg mean median
top | bottom
front | back
inside | outside
include | exclude
credit | debit
incoming | outgoing
arrive | depart leave
arrival | departure
sunrise | sunset
today tonight | tomorrow | yesterday
monday | tuesday | wednesday | thursday | friday | saturday | sunday
january | february | march | april | june | july | august | september | october | november | december
morning | afternoon | evening | night | noon
spring | summer | autumn fall | winter
north northern | south southern | east eastern | west western
red | green | blue | black | white | yellow | orange | purple | pink | brown | grey gray
cheap cheapest | expensive
birth | death
born | died
more | less fewer
first | last | second | third | fourth | fifth | next | previous
old | new | young
oldest earliest | newest latest youngest
early earlier | late later
left | right
true | false
yes | no
positive | negative
plus | minus
multiply | divide
sum total | average avg mean | count | median | min minimum | max maximum
many | much | long | far | often | old
day | week | month | year | hour | minute | second | decade | century
daily | weekly | monthly | yearly annual | hourly
source | target destination
input | output
request | response
client | server
row | column
width | height | depth
latitude | longitude
home | away
winner | loser
male | female
man | woman
boy | girl
father | mother
son | daughter
brother | sister
husband | wife
king | queen
must | can may could
my | your | his | her | our | their | another other
adult | child
read | write
get | set
login | logout
sender | recipient receiver
employer | employee
buyer | seller
teacher | student
lend | borrow
past | present | future
ein an auf | aus zu ab
vor | nach
mehr | weniger
kaufen | verkaufen
avant | apres
plus | moins
acheter | vendre
ouvrir | fermer
antes | despues
mas | menos
comprar | vender
abrir | cerrar
\u5927 | \u5c0f
\u591a | \u5c11
\u4e0a | \u4e0b
\u524d | \u540e \u5f8c
\u5f00 \u958b | \u5173 \u95dc
\u4e70 | \u5356
\u5de6 | \u53f3
"""
TELLING_SIGNS = frozenset("-!<>%^")
PREFIXES = listed("un in im ir il dis de non anti mis over under re pre post sub super inter ex up down out en")
UNDOING = ("un", "dis")
# Words that stand for each other in nearly any question.
SYNONYMS = """
start begin commence
buy purchase
help assist support aid
fix repair
big large huge
quick fast rapid speedy
quickly fast rapidly swiftly
show display list
choose select pick
find locate
get obtain receive
make create build
change modify alter
delete remove erase
car automobile
movie film
photo picture image
phone telephone
job work
doctor physician
child kid
children kids
often frequently
allow permit let
end finish
need require
ask request
answer reply respond
happen occur
explain describe
simple easy
simplest easiest
hard difficult
important significant
method way
error mistake
wrong incorrect
right correct
issue problem
money cash funds
store shop
trip journey
street road
house home
begin start
keep retain
whole entire
near close
finally eventually
maybe perhaps
also too
enough sufficient
cancel abort
verify check confirm
what's what
course class
courses classes
gets returns
sets defines
checks tests
creates builds
"""


DIRECTIONS = listed("to than into from by before after over of beat beats for under vs versus \u5230 \u6bd4 \u7ed9")
