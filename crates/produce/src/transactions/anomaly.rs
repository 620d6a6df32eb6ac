/// What can befall a card.
///
/// | kind | how it looks |
/// |---|---|
/// | `card_testing` | many tiny payments online within minutes, at worst an hour, at one to four sellers, from a device abroad or in the customer's country: is the stolen number good? |
/// | `stolen_card` | for one to six hours, in the city where the customer is, things that can be resold, for 1.5 to 5 times what the customer would pay for them |
/// | `impossible_travel` | a payment in a city so far away that the customer, who has just paid at home, would have flown faster than any airliner; up to three more follow there |
/// | `compromised_terminal` | for two to seven days a terminal copies cards; the copies are used up to five days later in other cities or online, for amounts the customer might pay |
/// | `slow_drain` | for three to ten days someone buys online in the customer's name and city, each time for 1.3 to 3 times what the customer would pay |
///
/// Meanwhile the customer goes on with own payments, labelled `normal`, until the bank notices: after the last of the
/// payments the card rests for half a day to two days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnomalyKind {
    /// A stolen number is tried out.
    CardTesting,
    /// A card is in a thief's hands.
    StolenCard,
    /// A copy is used while the card itself is far away.
    ImpossibleTravel,
    /// Copies of many cards, all taken at one terminal, are used.
    CompromisedTerminal,
    /// An account is milked for days.
    SlowDrain,
}

impl AnomalyKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::CardTesting, Self::StolenCard, Self::ImpossibleTravel, Self::CompromisedTerminal, Self::SlowDrain];

    /// The word in the `label` column.
    pub fn name(self) -> &'static str {
        match self {
            Self::CardTesting => "card_testing",
            Self::StolenCard => "stolen_card",
            Self::ImpossibleTravel => "impossible_travel",
            Self::CompromisedTerminal => "compromised_terminal",
            Self::SlowDrain => "slow_drain",
        }
    }
}
