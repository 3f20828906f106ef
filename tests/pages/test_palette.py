"""The palette offers what one may do, and the way to compare two releases."""


def palette(world, who, q=""):
    return world.browser(who).get("/search/", {"q": q}, headers={"hx-request": "true"}).content.decode()


def test_only_commands_that_one_may_use_are_offered(world):
    assert "New release of <mark>Shop</mark>" in palette(world, "developer", "shop")
    assert "New release" not in palette(world, "stakeholder", "shop")
    assert "New release" in palette(world, "developer")
    assert "New pipeline" in palette(world, "admin")
    assert "New pipeline" not in palette(world, "developer")


def test_a_roll_back_is_offered_where_two_releases_ran(world):
    shown = palette(world, "devops", "shop")
    assert "/apps/shop/stage/rollback/" in shown
    assert "/apps/shop/live/rollback/" not in shown
    assert "rollback" not in palette(world, "stakeholder", "shop")


def test_a_person_leads_to_the_page_with_their_roles(world):
    browser, person = world.browser("stakeholder"), world.shop.people["business-owner"].display
    shown = browser.get("/search/", {"q": person}).content.decode()
    assert "Business owner in Shop" in shown and 'href="/pipelines/shop/?tab=roles"' in shown
    assert person in browser.get("/pipelines/shop/?tab=roles").content.decode()
    assert "Business owner in" not in palette(world, "outsider", person)


def test_what_was_asked_is_marked_and_escaped(world):
    assert "<script>" not in palette(world, "developer", "<script>")
    assert "Nothing matches" in palette(world, "developer", "<script>")
    assert "Shop" not in palette(world, "outsider", "shop")


def test_a_comparison_is_chosen(world):
    browser = world.browser("developer")
    at = "/apps/shop/releases/compare/"
    assert browser.get(at).headers["Location"] == f"{at}1.1.0...1.2.0/"
    assert browser.get(at, {"to": "1.1.0"}).headers["Location"] == f"{at}1.0.0...1.1.0/"
    assert browser.get(at, {"from": "1.0.0", "to": "1.2.0"}).headers["Location"] == f"{at}1.0.0...1.2.0/"
    assert "<option selected>1.2.0" in browser.get(f"{at}1.0.0...1.2.0/").content.decode()
    assert world.browser("outsider").get(at).status_code == 404
    assert browser.get(at, {"from": "../../x", "to": "1.2.0"}).status_code == 404, "no version has a slash"
