"""The words that general rows are made of, and those rows that were written by hand; ours. Changed only together with
`replay.VERSION`: their hash is part of what was approved."""

JOBS = (
    "baker", "gardener", "plumber", "teacher", "nurse", "driver", "painter", "tailor", "clerk", "farmer", "cook",
    "carpenter", "librarian", "mechanic", "florist", "guard",
)  # fmt: skip
PLACES = (
    "the garden", "the kitchen", "the library", "the market", "the office", "the harbour", "the workshop", "the school",
    "the station", "the museum", "the park", "the village hall",
)  # fmt: skip
THINGS = (
    "a lamp", "two chairs", "an umbrella", "a blanket", "the keys", "a notebook", "a bottle of water", "some paper",
    "a basket", "the tickets", "a map", "the scissors", "a kettle", "some rope", "a torch", "the invoice",
)  # fmt: skip
GOODS = ("bolts", "candles", "cups", "envelopes", "eggs", "marbles", "plates", "screws", "spoons", "stamps", "tiles")
REPLIES = (
    ("question", "When does the {job} bring {thing}?"),
    ("question", "Why did the {job} want {thing}?"),
    ("request", "Please give {thing} to the {job}."),
    ("request", "Ask the {job} about {thing}, please."),
    ("statement", "The {job} already has {thing}."),
    ("statement", "Nobody told the {job} about {thing}."),
)

FACTS = (
    ("What is photosynthesis?", "It is how plants make sugar from light, water and carbon dioxide; oxygen goes off."),
    ("Why is the sky blue?", "Air scatters the blue part of sunlight more than the red, so blue is all around."),
    ("What does a thermometer measure?", "A thermometer measures temperature."),
    ("What is the boiling point of water at sea level?", "Water boils at 100 °C, which is 212 °F, at sea level."),
    ("Name the planets of the solar system.",
     "Mercury, Venus, Earth, Mars, Jupiter, Saturn, Uranus and Neptune."),
    ("What is the difference between weather and climate?",
     "Weather is what the air does now or this week; climate is how the weather usually is over many years."),
    ("What is a synonym of “quick”?", "“Fast” is a synonym of “quick”."),
    ("What is the opposite of “generous”?", "The opposite of “generous” is “stingy”."),
    ("Explain what a noun is.", "A noun is a word that names a person, a place, a thing or an idea, such as “river”."),
    ("Explain what a verb is.", "A verb is a word for an action or a state, such as “run” or “know”."),
    ("How do you make a cup of tea?",
     "Boil water, pour it over a tea bag in a cup, wait three to five minutes, and take the bag out."),
    ("How do I plan a week of meals and the shopping for it?",
     "Choose the meals first, list what each one needs, add up what is the same, and strike out what is at home."),
    ("What should I do when I cut my finger slightly?",
     "Rinse it with clean water, press a clean cloth on it until it stops bleeding, and put a plaster on it."),
    ("Give three tips for sleeping better.",
     "1. Go to bed at the same time each day.\n2. Keep the room dark and cool.\n3. Put screens away an hour before."),
    ("Give two reasons to read a contract before you sign it.",
     "1. You may be bound by terms that you did not expect.\n2. Mistakes are easier to correct before that."),
    ("What is an e-mail subject line for?", "It tells the reader in a few words what the message is about."),
    ("What does “RSVP” on an invitation mean?", "It asks you to say whether you will come."),
    ("What is compound interest?", "It is interest that is paid on the sum and on the interest earned before."),
    ("What is inflation?", "Inflation is a general rise of prices, so that the same money buys less."),
    ("What is a budget?", "A budget is a plan of what comes in and what is spent over some time."),
    ("What is the capital of France?", "The capital of France is Paris."),
    ("What is the capital of Japan?", "The capital of Japan is Tokyo."),
    ("What is the largest ocean on Earth?", "The Pacific Ocean is the largest ocean on Earth."),
    ("How many sides does a hexagon have?", "A hexagon has six sides."),
    ("What is a prime number?", "A prime number is a whole number above 1 that only 1 and itself divide evenly."),
    ("What is the square root of 81?", "The square root of 81 is 9."),
    ("What is 15 % of 200?", "15 % of 200 is 30."),
    ("What is a variable in programming?", "A variable is a name for a value that a program can use and change."),
    ("What does HTML stand for?", "HTML stands for HyperText Markup Language."),
    ("What is a database?", "A database is an ordered store of data that programs can search and change."),
    ("Who wrote “Romeo and Juliet”?", "William Shakespeare wrote “Romeo and Juliet”."),
    ("What is a haiku?", "A haiku is a short Japanese poem, often of three lines with 5, 7 and 5 syllables."),
    ("What are the three states of matter that school teaches first?", "Solid, liquid and gas."),
    ("Why do we have seasons?", "Because the axis of the Earth is tilted, each half gets more sun in its summer."),
    ("What does a compass show?", "A compass shows where magnetic north is."),
    ("How can I save water at home?", "Take shorter showers, mend dripping taps, and only wash full loads."),
    ("What is recycling?", "Recycling turns used material, such as glass or paper, into something new."),
    ("What is the main purpose of a summary?", "It gives the main points of a longer text in few words."),
    ("Can you tell me what the weather is right now?",
     "I can't see the weather where you are. A weather service or a look outside will tell you."),
    ("What did I have for breakfast today?", "I can't know that: you have not told me."),
)  # fmt: skip
