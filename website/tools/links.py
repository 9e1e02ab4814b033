"""Where links of the repository's own documents lead to, when they are pages of the website."""

import re

LINK = re.compile(r"(!?)\[([^\]\n]+)\]\(([^)\s]+)\)")
# Pages by what is linked to. What is in none of them keeps its words and loses its link.
PLACES = (
    (r"#.*|[a-z]+:.*", r"\g<0>"),
    (r"website/docs/(.+)", r"\1"),
    (r"(ARCHITECTURE|NAMES|CHANGELOG|CONTRIBUTING|README)\.md(#.*)?", r"\1.md\2"),
    (
        r"examples/(web_scraper|retrieval|etl|order_saga|thumbnails|chatbot)/README\.md",
        r"generated/tutorials/\1.md",
    ),
    (r"examples(/.*)?", "guide/examples.md"),
    (r"pkgs/client/README\.md#jobs", "start/jobs.md"),
    (r"pkgs/(core-sql|dsl|client|worker|cli)/README\.md.*", r"reference/\1.md"),
    (r"bench/results/.*", "generated/figures.md"),
)


def page_of(target: str) -> str | None:
    """Return the page of what a root document links to; None where there is none."""
    for pattern, page in PLACES:
        found = re.fullmatch(pattern, target)
        if found:
            return found.expand(page).replace("README.md", "index.md")
    return None


def with_pages(line: str) -> str:
    """Return a line of Markdown with its links led to pages."""

    def lead(found: re.Match[str]) -> str:
        page = page_of(found[3])
        return f"{found[1]}[{found[2]}]({page})" if page else found[2]

    return LINK.sub(lead, line)
