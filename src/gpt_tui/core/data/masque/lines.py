"""The lines of verse that anybody may speak, as templates of about ten syllables.

A slot in braces is named by one of the words that can stand there, in the form that is wanted: {crowns} is the plural
of any thing, {a golden} any two-syllable adjective with its article, {break'st} what thou dost to something.

    crown mirror      things of one and of two syllables        knave soldier   persons, likewise
    grief honour      what cannot be counted                    cold golden     adjectives
    break             a verb with an object (breaks breaketh break'st breaking broken)
    sleep             a verb without one                        softly          an adverb
    night weep bright the last word of a line: noun, verb, adjective; it rhymes where a rhyme is due
    thou thee art …   for one of higher or equal rank "you", "are" …; hath and doth for old speakers, else has and does
    Corvin, my lord   the name and a title of the one addressed; echo: the last word of the speech before
    Aldred Maudlin    some other man, some other woman

A line without a mark at its end takes one by chance; after a semicolon or a colon the speech goes on.
"""

from __future__ import annotations

STATEMENTS = """
{The} {cold} {crown} {sleeps} {upon} {the} {golden} {night}
{The} {soldier} {breaks} {the} {crown} and {breaks} {the} {night}
The {knaves} of {honour} {break} {the} {golden} {night}
{The} {mirror} of my {honour} is {the} {night}
{The} {crown} {is} {cold}, {the} {golden} {soldier} {bright}
The world is {grief}, and {honour} is {the} {night}
The gods {are} {cold}: they {break} us, {and} we {weep}
My {grief} is like {a cold} and {golden} {night}
My {crown}, my {mirror}, and my {golden} {night}!
My {golden} {mirror} {sleeps}, {and} I {will} {weep}
No {crown} was ever {broken} {in} {the} {night}
No {soldier} {sleeps} so {softly} but {will} {weep}
I have not {broken} {a crown} that {will} not {weep}
I have seen {soldiers} {sleeping} {in} {the} {night}
I dreamt {a soldier} there had {broken} {the} {night}
I saw {those} {crowns} go {softly} to {the} {night}
I know that {Aldred} {breaks} his {golden} {night}
I know that {Maudlin} {breaks} her {golden} {night}
I fear {the} {knave} that {sleeps}, I fear {the} {night}
I'll {break} {the} {crown}, I'll {break} {the} {golden} {night}
I am {a crown} that {sleeps}, {a knave} too {bright}
There is no {grief} but {in} {the} {golden} {night}
There {sleeps} {a crown} {upon} my {golden} {night}
All {soldiers} {sleep}, and every {crown} {is} {bright}
All {honour} is {a knave} that cannot {weep}
{Honour} is but {a mirror} {in} {the} {night}
{Honour} and {grief} {will} {break} {the} {golden} {night}
Let every {knave} that {sleeps} go {break} {the} {night}
Let {honour} {sleep}, and let {the} {mirror} {weep}
How {softly} {sleeps} {the} {mirror} and {the} {night}!
How {cold} {the} {crown}, how {golden} is {the} {night}!
Some {break} {the} {crown}, and some {the} {golden} {night}
What {breaks} {the} {crown} {will} never {break} {the} {night}
He that {will} {break} {the} {crown} must learn to {weep}
He that {hath} {broken} {a mirror} may be {bright}
She that {hath} {broken} {a crown} {will} never {weep}
She that {will} {break} {a soldier} must be {bright}
They say {the} {soldier} {sleeps} and {will} not {weep}
They that have {broken} {the} {crown} {will} never {weep}
'Tis {cold}, 'tis {golden}, {and} it {will} not {weep}
'Tis said that {Aldred} {sleeps}, {and} he {will} {weep}
'Tis said that {Maudlin} {sleeps}, {and} she {will} {weep}
'Twas {grief} that taught {the} {golden} {crown} to {weep}
So {cold} {a crown} did never {break} {the} {night}
So many {crowns}, and not {a knave} {is} {bright}
More {cold} than {crowns} is {honour} {in} {the} {night}
Good {crowns} {are} {cold}, {and} {golden} {soldiers} {weep}
And yet {those} {crowns} {are} {cold}, {those} {mirrors} {bright}
And still {those} {soldiers} {break} {the} {golden} {night}
O that {the} {crown} were {broken}, and I were {bright}!
O for {a mirror}, and a heart more {bright}!
O {cold} {grief}, that ever I was {bright}!
Alas, {the} {crown} is {broken}, {the} {soldier} {bright}
We {break} {those} {crowns} for which {those} {soldiers} {weep}
We are but {crowns} that {softly} learn to {weep}
By {grief} I {sleep}, by {honour} I {will} {weep}
{A knave} {will} {break} {the} {crown}, but not {the} {night}
{A soldier} and {a knave} {will} {break} {the} {night}
Where {honour} {sleeps}, {the} {knave} {will} {break} {the} {night}
{Aldred} {hath} {broken} {the} {crown}, {and} he {is} {bright}
{Aldred} {doth} {softly} {break} his {golden} {night}
{Maudlin} {hath} {broken} {the} {crown}, {and} she {is} {bright}
{Maudlin} {doth} {softly} {break} her {golden} {night}
In every {crown} there {sleeps} {a golden} {night}
This {crown}, this {mirror}, and this {golden} {night}
This is {the} {crown} that {breaks} {the} {golden} {night}
These {cold} and {golden} {crowns} {will} never {weep}
Methinks {the} {mirror} {sleeps}; methinks I {weep}
For every {knave} there is {a golden} {night}
One {crown} {is} {cold}, another {crown} {is} {bright}
Two {soldiers} {sleep}, and neither one {is} {bright}
Now {doth} {the} {soldier} {break} {the} {golden} {night}
Now {sleep} {those} {crowns}, and now {those} {knaves} {are} {bright}
Upon my {crown} there {sleeps} {a golden} {night}
Sweet {honour}, and {cold} {grief}, and {golden} {night}!
An honest {knave} is better than {the} {night}
An honest {soldier} never learns to {weep}
Yon {mirror} {sleeps}, and {is} not very {bright}
Beware {the} {crown}, {the} {mirror}, and {the} {night}
Once was I {cold}, and {softly} did I {weep}
Once in {a golden} {mirror} slept {the} {night}
To {break} {the} {crown} {is} {golden}; 'tis not {bright}
Better to {sleep} than evermore to {weep}!
Give me {a crown}, {a mirror}, and {the} {night}
Fetch me {the} {mirror}, {knave}, and then be {bright}
From {crown} to {crown} {those} {golden} {soldiers} {weep}
Like {golden} {crowns} that {sleep} {upon} {the} {night}
{Cold} {crowns}, {golden} {mirrors}, and {the} {night}
{Cold} {knaves} {sleep} {softly} when {the} {mirrors} {weep}
{Golden} {soldiers} {sleep}, {cold} {mirrors} {weep}
{Golden} {honour} {breaks} {the} {cold} {night}
{Softly} {the} {crown} {sleeps}, {softly} {the} {night}
{Golden} {crowns} for {soldiers}, {golden} {night}
{Cold} {mirrors}, {cold} {soldiers}, {golden} {night}
{Golden} {mirrors} {softly} {break} {the} {night}
{Cold} {soldiers} {break} {mirrors}, {mirrors} {weep}
{Golden} {soldiers} {will} {break} {golden} {night}
{Softly} we {break} {the} {crown}, and {softly} {weep}
No {cold} {crown}, no {golden} {mirror} {will} {weep}
No {grief}, no {honour}, and no {golden} {night}
{A golden} {knave}, {a cold} {mirror}, and {the} {night}
{A golden} {crown} {breaks} {honour} in {the} {night}
{A cold} {soldier} {will} {break} {the} {golden} {night}
{A mirror} and {a crown} {will} {break} {the} {night}
My {soldiers} {break} {a crown}; {the} {mirrors} {weep}
My {cold} {knaves} {break} {soldiers} for {the} {night}
{The} {knave} {breaks} {honour}, {and} {the} {soldiers} {weep}
{The} {golden} {crown} {will} {sleep}, {the} {knave} {will} {weep}
{The} {cold} {mirror} {breaks} {the} {golden} {night}
{Soldiers} {break} {crowns}, {and} {golden} {mirrors} {weep}
{Soldiers} and {mirrors}, {knaves} and {golden} {night}
{Mirrors}, {soldiers}, {crowns}, and {golden} {night}
{Soldiers} {sleep} {softly}, {golden} {mirrors} {weep}
{Mirrors} {break} {soldiers}, {soldiers} {break} {the} {night}
{Mirrors} and {crowns}, {cold} {knaves} and {golden} {night}
{Mirrors} {are} {cold}, {and} {crowns} {are} seldom {bright}
I {break} {cold} {crowns} and {golden} {mirrors}, and {weep}
I {softly} {break} {the} {crown}, {the} {mirror}, and {the} {night}
I {will} not {sleep} where {golden} {soldiers} {weep}
With {crowns} and {mirrors} {will} {the} {soldiers} {weep}
With {grief} and {honour} comes {the} {golden} {night}
Without {a crown}, what {soldier} {will} not {weep}?
Between {the} {crown} and {the} {mirror} lies {the} {night}
O {honour}, {honour}, {broken} in {the} {night}!
O {golden} {crown}! O {cold} and {golden} {night}!
Come, {golden} {mirrors}; come, {cold} {knaves}, and {weep}
Go, {soldiers}, {break} {the} {crown} and {break} {the} {night}
Sing of {the} {crown}, {the} {mirror}, and {the} {night}
Farewell, {cold} {crown}; farewell, {the} {golden} {night}
Farewell to {honour}, {grief}, and all {the} {night}
Such {cold} {mirrors} {break} {the} {soldiers} as they {weep}
"""

ADDRESSES = """
{Thou} {hast} {the} {crown}, {and} I {the} {golden} {night}
{Thou} {break'st} my {crown} as {soldiers} {break} {the} {night}
{Thou} {sleep'st} too {softly} for {a knave} so {bright}
{Thou} {art} {the} {crown} that {sleeps} {upon} my {night}
{Thou} {art} more {cold} than {crowns} {upon} {the} {night}
{Thou} {shalt} not {break} {the} {crown} while I {will} {weep}
{Thou} {canst} not {sleep}, {thou} {canst} not {break} {the} {night}
{Thou} {dost} but {break} {the} {mirror} of {the} {night}
{Thou} {wilt} be {broken} when {those} {crowns} {are} {bright}
{Thy} {grief} {is} {cold}, {thy} {honour} {is} too {bright}
{Thy} {soldiers} {sleep}, {thy} {crown} {is} {cold} and {bright}
{Thy} {mirror} {breaks} {the} {crown} and {breaks} my {night}
I {will} not {break} {thy} {crown}, {thy} {golden} {night}
I tell {thee} that {the} {soldier} {is} too {bright}
I'll {break} {thee} as {the} {mirror} {breaks} {the} {night}
I never saw {thee} {golden}, {cold}, or {bright}
Give {thy} {crown} to {knaves}, and {thou} {shalt} {weep}
Give back {thy} {mirror}, {and} I {will} not {weep}
Come, {break} {thy} {crown}, and teach {those} {knaves} to {weep}
Go, tell {the} {golden} {soldier} not to {weep}
Go to, {thou} {break'st} {the} {mirror} and {the} {night}
Speak not of {honour}, for {the} {crown} {is} {bright}
Look to {thy} {mirror}, and {thy} {golden} {night}
Take {thou} {the} {mirror}; leave to me {the} {night}
Were all men cold as {thou}, who would be {bright}?
For {thee} I {break} {the} {crown}, for {thee} I {weep}
With {thee} I {sleep}; without {thee} I {will} {weep}
"""

QUESTIONS = """
Why {dost} {thou} {break} {the} {crown} and not {the} {night}?
Why {sleeps} {the} {soldier}, if {thy} {crown} {is} {bright}?
What {crown} is this, that {sleeps} {upon} {thy} {night}?
What is {a crown} but {grief} that {will} not {weep}?
What, {art} {thou} {golden}, and {the} {crown} not {bright}?
Who {breaks} {the} {crown} when all the {soldiers} {weep}?
Who is that {knave} that {sleeps} and {is} so {bright}?
Where {sleeps} {the} {soldier} that {will} {break} {the} {night}?
Where is {the} {crown} {thou} {hast} {broken} {in} {the} {night}?
{Art} {thou} so {cold}, that I must learn to {weep}?
{Hast} {thou} not {broken} {the} {soldier} and {the} {night}?
{Hast} {thou} seen {Aldred}? Is he grown so {bright}?
{Hast} {thou} seen {Maudlin}? Is she grown so {bright}?
{Wilt} {thou} not {break} {the} {mirror} and {the} {night}?
{Canst} {thou} not see {the} {crown} {is} {cold} and {bright}?
{Dost} {thou} not {sleep}, and {dost} {thou} never {weep}?
Is this {the} {golden} {crown} that made {thee} {weep}?
Is {Aldred} {cold}, and shall he ever {weep}?
Is {Maudlin} {cold}, and shall she ever {weep}?
How shall I {break} {thee} from {the} {golden} {night}?
How came {thy} {mirror} to be {cold} and {bright}?
Shall {honour} {sleep}, and shall {the} {soldier} {weep}?
Did {Aldred} {break} his {crown} {upon} {the} {night}?
Did {Maudlin} {break} her {crown} {upon} {the} {night}?
Must every {knave} that {sleeps} be {cold} and {bright}?
"""

# The first line of a speech that answers a question.
ANSWERS = """
No, by my {crown}, I {will} not {break} {the} {night}
Indeed, {my lord}, {the} {crown} {is} {cold}, not {bright}
Not I, {my lord}: 'tis {Aldred} {breaks} {the} {night}
In truth, {my lord}, {the} {crown} {is} {cold} and {bright}
Ay, as {the} {soldier} {breaks} {the} {golden} {night}
Ay me, I know not, but {the} {knave} {is} {bright}
Nay, ask {the} {soldier}, for he {will} not {weep}
Nay, who can tell, when all the {mirrors} {weep}?
I know not that. I know {the} {crown} {is} {bright}
I cannot tell, {my lord}; I can but {weep}
Because my {honour} {sleeps} {upon} {the} {night}
Even so: {the} {crown} is {broken}, {the} {soldier} {bright}
Ask not of me; go ask {the} {golden} {night}
Yea, {and} {those} {soldiers} {sleep}, {those} {crowns} {are} {bright}
Who, {Aldred}? Nay, he {sleeps} {upon} {the} {night}
Who, {Maudlin}? Nay, she {sleeps} {upon} {the} {night}
It may be so; {a knave} is seldom {bright}
That question, {my lord}, would make {a mirror} {weep}
Perchance I did, perchance it was {the} {night}
"""

# How a speech may begin before a HALF: with the listener's name or title, or, after a last word of each kind, with it.
GREETINGS = """
Dearest {Corvin}
Peace, {Corvin}
Hark, {Corvin}
Welcome, {Corvin}
Softly, {Corvin}
Patience, {my lord}
Hear me, {my lord}
Believe me, {my lord}
Your pardon, {my lord}
"""
ECHOES = {
    "noun": """
Ha! the {echo}?
What, of the {echo}?
Talk not of the {echo}
Still of the {echo}!
""",
    "verb": """
Ha! to {echo}?
Must we {echo}?
Who would not {echo}?
Teach me to {echo}
""",
    "adjective": """
Ha! so {echo}?
Too {echo}, too {echo}!
Call it not {echo}
Is it so {echo}?
""",
}
HALVES = """
{the} {crown} {is} {cold}, {the} {soldier} {bright}
{the} {crown} that {sleeps} {will} {break} {the} {night}
{the} {mirror} {sleeps}, {those} {soldiers} {weep}
I {break} {the} {mirror} {in} {the} {night}
I have {a crown} that {will} not {weep}
I am too {golden} {in} {the} {night}
I'll {break} {the} {knave}, {and} he {will} {weep}
{thou} {break'st} {the} {crown}, {and} I {the} {night}
{thou} {art} {a knave}, and none too {bright}
{thou} {hast} {a mirror}, but no {night}
{thy} {crown} {is} {golden}, not so {bright}
{thy} {honour} {sleeps}, {thy} {soldiers} {weep}
we {break} {those} {crowns}, and then we {weep}
we are but {crowns} before {the} {night}
there {sleeps} {a soldier} {in} {the} {night}
there is no {honour} {in} {the} {night}
for {honour} is {a cold} {night}
for {grief} will make {those} {mirrors} {weep}
'tis but {a mirror} and {the} {night}
'tis {grief} that {breaks} {the} {golden} {night}
no {knave} so {cold} was ever {bright}
let {soldiers} {break} {the} {crown}, and {weep}
{a crown} is more than {knaves} and {night}
"""

# A line that begins with such a word calls for one of the lines that follow it; what follows First calls in its turn.
OPENING_LINES = {
    "When": """
When {honour} {sleeps}, {and} {soldiers} {break} {the} {night},
When {crowns} {are} {cold}, and every {knave} {is} {bright},
When I was {cold}, and {grief} was {in} {the} {night},
When {Aldred} {sleeps}, and dreams he {breaks} {the} {night},
When {Maudlin} {sleeps}, and dreams she {breaks} {the} {night},
When {golden} {mirrors} {softly} learn to {weep},
""",
    "As": """
As {golden} {crowns} that {sleep} {upon} {the} {night},
As doth {the} {soldier} when he {breaks} {the} {night},
As {honour} {sleeps} before it learns to {weep},
As one that {sleeps}, and dreams {a crown} {is} {bright},
As in {a mirror} {golden} {soldiers} {weep},
""",
    "Though": """
Though {soldiers} {sleep}, and {golden} {knaves} be {bright},
Though {grief} be {cold}, and {honour} not so {bright},
Though I have {broken} {the} {crown}, and learn'd to {weep},
Though every {crown} be {broken} {in} {the} {night},
Though {Aldred} {break} his {mirror} and {the} {night},
Though {Maudlin} {break} her {mirror} and {the} {night},
""",
    "If": """
If I be {cold}, or if {the} {crown} be {bright},
If {honour} {breaks} {the} {crown}, and {will} not {weep},
If {Aldred} {hath} {a crown}, {and} he be {bright},
If {Maudlin} {hath} {a crown}, {and} she be {bright},
If any {soldier} come to {break} {the} {night},
""",
    "Not": """
Not all the {soldiers} that have {broken} {the} {night},
Not {honour}, {grief}, nor all {the} {golden} {night},
Not {a crown}, though it be {cold} and {bright},
Not {Aldred}, with his {crowns} and with his {night},
Not {Maudlin}, with her {crowns} and with her {night},
""",
    "Because": """
Because {the} {crown} was {cold}, {the} {soldier} {bright},
Because no {knave} {will} {break} me {in} {the} {night},
Because I {sleep}, and cannot learn to {weep},
Because {a mirror} {sleeps} {upon} {the} {night},
""",
    "First": """
First came {a soldier}, {golden} {in} {the} {night},
First came {those} {knaves}, and some of them were {bright},
First came {a mirror}, {broken} {in} {the} {night},
""",
}
FOLLOWING_LINES = {
    "When": """
Then will {the} {soldier} {break} {the} {crown} and {weep}
Then shall my {honour} {sleep} {upon} {the} {night}
Then {sleeps} {the} {crown}, and then {the} {knave} {is} {bright}
Then let {those} {soldiers} {sleep}, {those} {mirrors} {weep}
Then am I {cold}, and then {those} {crowns} {are} {bright}
""",
    "As": """
So {sleeps} my {grief}, and so I {break} {the} {night}
So must I {break} {a crown}, and cannot {weep}
So doth my {honour} {break} {the} {golden} {night}
So {cold} am I, so {golden}, and so {bright}
So {softly} comes {the} {soldier} to {the} {night}
""",
    "Though": """
Yet will I {break} {the} {mirror} and {the} {night}
Yet is {the} {crown} too {golden} {in} {the} {night}
Yet shall no {soldier} {break} me {in} {the} {night}
Yet {sleeps} {the} {crown}, and yet I cannot {weep}
Yet there is {honour}, {golden}, {cold}, and {bright}
""",
    "If": """
Why, let {those} {soldiers} {break} {the} {crown}, and {weep}
Why, then {those} {crowns} {are} {cold}, {those} {knaves} {are} {bright}
Why, {honour} is {a mirror} {in} {the} {night}
Why, so {a knave} {will} {sleep}, and so {will} {weep}
I'll {break} {the} {crown}, and {softly} will I {weep}
""",
    "Not": """
Can {break} my {honour} {in} {the} {golden} {night}
Could {break} {the} {crown}, or teach {the} {knave} to {weep}
Shall {break} {the} {mirror} where {those} {soldiers} {weep}
Will {sleep} so {softly} {in} {the} {golden} {night}
""",
    "Because": """
Therefore I {break} {the} {golden} {crown}, and {weep}
Therefore is {honour} {cold}, {and} {grief} {is} {bright}
Therefore {those} {soldiers} {sleep} {upon} {the} {night}
Therefore no {mirror} {is} so {cold} and {bright}
""",
    "First": """
Next came {a crown}, that had forgot to {weep},
Next came {those} {crowns}, all {cold}, and some were {bright},
Next came {a knave} that {breaks} {the} {golden} {night},
""",
    "Next": """
Last came {the} {golden} {soldier} and {the} {night}
Last came my {grief}, and it was {cold} and {bright}
Last came {a crown} that {softly} learn'd to {weep}
Last came {a mirror}, and it was {the} {night}
""",
}

SONG_LINES = """
{The} {crown} doth {sleep} {upon} {the} {night}
{The} {soldier} {breaks} {the} {golden} {night}
{The} {mirror} {sleeps}, {those} {mirrors} {weep}
My love {is} {golden}, {cold}, and {bright}
My love he {sleeps} {upon} {the} {night}
My {crown} is {broken}, my {crown} {is} {bright}
O {softly}, {softly}, {in} {the} {night}
O who {will} {sleep}, and who {will} {weep}
O {golden} {mirror}, {cold} and {bright}
And all the {mirrors} {in} {the} {night}
And {honour} {sleeps}, and so {will} {weep}
Come, {break} {the} {crown}, and never {weep}
Come {sleep} with me {upon} {the} {night}
Heigh-ho, {the} {crown} {is} {cold} and {bright}
Heigh-ho, for {honour} and {the} {night}
There was {a knave} that {will} not {weep}
There was {a crown} {upon} {the} {night}
Sing {cold}, sing {golden}, {in} {the} {night}
Sing, {soldiers}, till {those} {crowns} {are} {bright}
With {crowns} to {break}, and none to {weep}
With {grief}, with {honour}, and {the} {night}
When {knaves} {are} {cold}, {and} {crowns} {are} {bright}
When {honour} {sleeps}, then {soldiers} {weep}
I had {a crown}, {a golden} {night}
I {sleep}, I {sleep}, and then I {weep}
"""

REFRAINS = """
Sing low, sing high, the {golden} {crown}!
With a fol, with a dol, and {a crown} to {break}!
O, the {soldier}, the {soldier}, the {cold}, {cold} {soldier}!
Lully my {crown}, and a lully my {mirror}!
Down, down, {golden} {mirror}, down!
For the {mirror} it {sleeps} every day!
And {sleep}, my {crown}, and {sleep} away!
"""
