"""The checks of the documents find what is planted in a page."""

from pathlib import Path

import pytest

from documents.pages import Fence, Page
from documents.test_links import broken_addresses, broken_links, make_targets

PAGE = """# One heading

## Twice

## Twice

## A `word`, and [a link](#twice-1)

- in a list

  <!-- run -->
  ```console
  $ kubectl get gpui
  ```

Without a mark, and with one for a file:

```yaml
spec: {}
```

<!-- file: it.yaml -->
```yaml
kind: It
```

<!-- a comment -->
```sh
make test  # make no-such-target
```

| reason | what to do |
| --- | --- |
| `One` | Wait \\| see. |

Use `make check test`.
"""


def planted(folder: Path, text: str) -> Page:
    path = folder / "page.md"
    path.write_text(text)
    return Page(path, folder)


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return planted(tmp_path, PAGE)


def test_a_mark_belongs_to_the_fence_after_it(page: Page):
    assert page.fences == [
        Fence("console", "$ kubectl get gpui\n", "run"),
        Fence("yaml", "spec: {}\n", ""),
        Fence("yaml", "kind: It\n", "file: it.yaml"),
        Fence("sh", "make test  # make no-such-target\n", ""),
    ]


def test_headings_have_the_anchors_that_github_gives_them(page: Page):
    assert page.anchors == {"one-heading", "twice", "twice-1", "a-word-and-a-link"}


def test_a_table_is_read_without_its_head(page: Page):
    assert page.rows("A `word`, and [a link](#twice-1)") == [["`One`", "Wait \\| see."]]


def test_make_targets_are_read_from_code_and_not_from_its_comments(page: Page):
    assert make_targets(page) == {"test", "check"}


@pytest.mark.parametrize(
    ("link", "wrong"),
    [
        ("page.md", None),
        ("#here", None),
        ("page.md#here", None),
        ("https://novita.ai/docs", None),
        ("other.md", "there is no such file"),
        ("../../etc/hosts", "there is no such file"),
        ("#there", "there is no such heading"),
        ("page.md#there", "there is no such heading"),
        ("https:/novita.ai", "this is no address"),
        ("http://novita.ai", "this is no address"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(tmp_path: Path, link: str, wrong: str | None):
    found = list(broken_links(planted(tmp_path, f"# Here\n\n[one]({link})\n\n    [none](in/code)\n")))
    assert found == ([f"{link}: {wrong}"] if wrong else [])


@pytest.mark.parametrize(
    ("where", "wrong"),
    [
        ("page.md", None),
        ("page.md#here", None),
        ("", None),
        ("other.md", "there is no such file"),
        ("page.md#there", "there is no such heading"),
    ],
)
def test_an_address_of_our_own_that_leads_nowhere_is_found(tmp_path: Path, where: str, wrong: str | None):
    planted(tmp_path, "# Here\n")
    home = "https://github.com/novita-gpu-operator/novita-gpu-operator/blob/main"
    found = list(broken_addresses(f'url: "{home}/{where}", read it.', tmp_path))
    assert found == ([f"{where}: {wrong}"] if wrong else [])
