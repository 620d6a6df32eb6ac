/// One file of the page.
pub(crate) struct Asset {
    /// Where it is served.
    pub(crate) path: &'static str,
    /// Its media type.
    pub(crate) media_type: &'static str,
    /// Its text.
    pub(crate) text: &'static str,
}

/// Every file of the page. The markup loads the others from here and nothing from anywhere else.
pub(crate) const ASSETS: [Asset; 6] = [
    Asset { path: "/", media_type: "text/html; charset=utf-8", text: include_str!("../page/page.html") },
    Asset { path: "/page.css", media_type: "text/css; charset=utf-8", text: include_str!("../page/page.css") },
    Asset { path: "/page.js", media_type: "text/javascript; charset=utf-8", text: include_str!("../page/page.js") },
    Asset { path: "/charts.js", media_type: "text/javascript; charset=utf-8", text: include_str!("../page/charts.js") },
    Asset { path: "/alerts.js", media_type: "text/javascript; charset=utf-8", text: include_str!("../page/alerts.js") },
    Asset { path: "/icon.svg", media_type: "image/svg+xml", text: include_str!("../page/icon.svg") },
];

/// What a browser without the token sees in place of the page.
pub(crate) const LOCKED: &str = include_str!("../page/locked.html");

#[cfg(test)]
mod tests {
    use super::*;

    /// Text of events reaches the page only through `textContent`; these are the ways in which it could become markup.
    #[test]
    fn no_script_turns_text_into_markup() {
        let ways = [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "srcdoc",
            "DOMParser",
        ];
        for asset in ASSETS.iter().filter(|asset| asset.path.ends_with(".js")) {
            for way in ways {
                assert!(!asset.text.contains(way), "{} uses {way}", asset.path);
            }
        }
    }

    #[test]
    fn the_page_loads_only_what_the_binary_serves() {
        let page = ASSETS[0].text;
        let answers = ["/api/overview", "/api/alerts", "/metrics", "/health/ready"];
        for address in page.split(['"', '\'']).filter(|part| part.starts_with('/') || part.contains("://")) {
            let served = ASSETS.iter().any(|asset| asset.path == address) || answers.contains(&address);
            assert!(served, "{address} is not served");
        }
        assert!(
            !page.contains("<style") && !page.contains(" style=") && !page.contains(" onclick="),
            "the policy refuses inline code"
        );
        assert!(!LOCKED.contains("<script"), "the locked page runs nothing");
    }
}
