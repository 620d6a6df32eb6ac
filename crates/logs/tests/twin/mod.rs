//! Drain the slow and obvious way: a list of templates that is searched from end to end.

/// What a twin and a miner agree upon for a message.
#[derive(Debug, PartialEq)]
pub struct Answer {
    /// The message that made the template.
    pub maker: String,
    pub text: String,
    pub is_new: bool,
    pub lines: u64,
}

#[derive(Debug)]
struct Row {
    maker: String,
    tokens: Vec<String>,
    way: Vec<Option<String>>,
    used: u64,
    lines: u64,
}

/// No masks, so that this is Drain and nothing else.
#[derive(Debug)]
pub struct Twin {
    pub leading: usize,
    pub similarity: f64,
    pub children_max: usize,
    pub templates_max: usize,
    /// Oldest first.
    rows: Vec<Row>,
    lines: u64,
}

impl Twin {
    pub fn new(leading: usize, similarity: f64, children_max: usize, templates_max: usize) -> Self {
        Self { leading, similarity, children_max, templates_max, rows: Vec::new(), lines: 0 }
    }

    fn way(&self, tokens: &[String]) -> Vec<Option<String>> {
        let mut way: Vec<Option<String>> = Vec::new();
        for token in tokens.iter().take(self.leading) {
            let here = |row: &&Row| row.tokens.len() == tokens.len() && row.way.starts_with(&way);
            let mut named: Vec<&String> =
                self.rows.iter().filter(here).filter_map(|row| row.way[way.len()].as_ref()).collect();
            named.sort();
            named.dedup();
            let has_room = named.len() < self.children_max || named.contains(&token);
            let is_key = has_room && !token.contains(|c: char| c.is_ascii_digit());
            way.push(is_key.then(|| token.clone()));
        }
        way
    }

    pub fn take(&mut self, message: &str) -> Answer {
        self.lines += 1;
        let tokens: Vec<String> = message.split_whitespace().map(str::to_owned).collect();
        let way = self.way(&tokens);
        let in_leaf = |row: &Row| row.tokens.len() == tokens.len() && row.way == way;
        let mut best: Option<(usize, usize, usize)> = None;
        for (at, row) in self.rows.iter().enumerate().filter(|(_, row)| in_leaf(row)) {
            let equal = row.tokens.iter().zip(&tokens).filter(|(left, right)| left == right).count();
            let parameters = row.tokens.iter().filter(|token| *token == "<*>").count();
            if best.is_none_or(|best| (equal, parameters) > (best.0, best.1)) {
                best = Some((equal, parameters, at));
            }
        }
        let share = |equal: usize| if tokens.is_empty() { 1.0 } else { equal as f64 / tokens.len() as f64 };
        if let Some((_, _, at)) = best.filter(|best| share(best.0) >= self.similarity) {
            let row = &mut self.rows[at];
            for (own, token) in row.tokens.iter_mut().zip(&tokens) {
                if own != token {
                    *own = "<*>".into();
                }
            }
            return self.answer(at, false);
        }
        let leaf: Vec<usize> = (0..self.rows.len()).filter(|at| in_leaf(&self.rows[*at])).collect();
        let candidates = match (leaf.len() >= self.children_max, self.rows.len() >= self.templates_max) {
            (true, _) => leaf,
            (false, true) => (0..self.rows.len()).collect(),
            (false, false) => Vec::new(),
        };
        if let Some(oldest) = candidates.into_iter().min_by_key(|at| self.rows[*at].used) {
            self.rows.remove(oldest);
        }
        let way = self.way(&tokens);
        self.rows.push(Row { maker: tokens.join(" "), tokens, way, used: self.lines, lines: 0 });
        self.answer(self.rows.len() - 1, true)
    }

    fn answer(&mut self, at: usize, is_new: bool) -> Answer {
        let row = &mut self.rows[at];
        row.used = self.lines;
        row.lines += 1;
        Answer { maker: row.maker.clone(), text: row.tokens.join(" "), is_new, lines: row.lines }
    }
}
