/// What a terminal sells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Category {
    /// Food and what a household needs.
    Grocery,
    /// Meals and drinks.
    Restaurant,
    /// Tickets and fares.
    Transport,
    /// Fuel and charging.
    Fuel,
    /// Medicine and care.
    Pharmacy,
    /// Clothes and shoes.
    Clothing,
    /// Cinemas, concerts, games.
    Entertainment,
    /// Small sales over the network: songs, films, apps.
    Digital,
    /// Telephones, computers, appliances.
    Electronics,
    /// Flights and hotels.
    Travel,
}

/// What is typical of a category. The figures are our own guesses at everyday life.
pub(crate) struct CategoryProfile {
    /// Part of an average customer's payments. Units: percent; all categories together make 100.
    pub(crate) percent: u32,
    /// Usual amount, relative to the customer's own level.
    pub(crate) size: f64,
    /// Spread of the logarithm of the amount.
    pub(crate) spread: f64,
    /// Share of its payments that an average customer makes online.
    pub(crate) online: f64,
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 10] = [
        Self::Grocery,
        Self::Restaurant,
        Self::Transport,
        Self::Fuel,
        Self::Pharmacy,
        Self::Clothing,
        Self::Entertainment,
        Self::Digital,
        Self::Electronics,
        Self::Travel,
    ];
    /// What can be sold on: what thieves buy.
    pub(crate) const RESOLD: [Self; 4] = [Self::Electronics, Self::Clothing, Self::Travel, Self::Fuel];

    /// The word in the `category` column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grocery => "grocery",
            Self::Restaurant => "restaurant",
            Self::Transport => "transport",
            Self::Fuel => "fuel",
            Self::Pharmacy => "pharmacy",
            Self::Clothing => "clothing",
            Self::Entertainment => "entertainment",
            Self::Digital => "digital",
            Self::Electronics => "electronics",
            Self::Travel => "travel",
        }
    }

    pub(crate) fn profile(self) -> CategoryProfile {
        let (percent, size, spread, online) = match self {
            Self::Grocery => (32, 1.0, 0.50, 0.04),
            Self::Restaurant => (18, 0.7, 0.50, 0.10),
            Self::Transport => (12, 0.3, 0.45, 0.35),
            Self::Fuel => (8, 1.7, 0.25, 0.0),
            Self::Pharmacy => (6, 0.6, 0.50, 0.10),
            Self::Clothing => (8, 1.6, 0.55, 0.45),
            Self::Entertainment => (6, 0.9, 0.45, 0.40),
            Self::Digital => (6, 0.3, 0.55, 1.0),
            Self::Electronics => (3, 4.0, 0.70, 0.50),
            Self::Travel => (1, 8.0, 0.70, 0.85),
        };
        CategoryProfile { percent, size, spread, online }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_categories_make_a_whole() {
        assert_eq!(Category::ALL.iter().map(|category| category.profile().percent).sum::<u32>(), 100);
    }

    #[test]
    fn all_has_each_category_at_the_place_of_its_number() {
        assert!(Category::ALL.iter().enumerate().all(|(place, category)| *category as usize == place));
    }
}
