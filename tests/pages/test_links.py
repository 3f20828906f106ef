"""Every page is reached from its natural place by whoever may use it, and offered to nobody else."""

import pytest

from phases import actions as places

HERE = {
    "/apps/shop/live/": ("check/", "edit/", "remove/", "components/new/", "configuration/", "lock/"),
    "/pipelines/shop/": ("edit/",),
    "/pipelines/shop/live/": ("edit/",),
}


def test_settings_lead_to_what_one_may_change(world):
    able, other = (world.browser(who).get("/apps/shop/settings/").content.decode() for who in ("devops", "stakeholder"))
    for path in ("/apps/shop/edit/", "/apps/shop/live/edit/"):
        assert f'href="{path}"' in able and f'href="{path}"' not in other
    assert "DevOps can change this." in other


@pytest.mark.parametrize("path", HERE)
def test_a_page_links_what_one_may_do_there(world, path):
    able, other = (world.browser(who).get(path).content.decode() for who in ("devops", "stakeholder"))
    for name in HERE[path]:
        assert f'href="{path}{name}"' in able
        assert world.browser("devops").get(f"{path}{name}").status_code == 200
        if name != "configuration/":
            assert f'href="{path}{name}"' not in other


def test_a_component_is_removed_from_its_row(world):
    live = world.shop.environments["live"]
    made = places.add_component(live, actor=world.shop.actor("devops"), kind="database", name="main")
    link = f'href="/apps/shop/live/components/{made.pk}/remove/"'
    assert link in world.browser("devops").get("/apps/shop/live/").content.decode()
    assert link not in world.browser("developer").get("/apps/shop/live/").content.decode()


def test_only_an_administrator_is_offered_to_remove_a_phase(world):
    path = "/pipelines/shop/live/"
    assert f'href="{path}remove/"' in world.browser("admin").get(path).content.decode()
    assert f'href="{path}remove/"' not in world.browser("release-manager").get(path).content.decode()


def test_an_application_without_an_environment_there_is_no_dead_link(world):
    application = places.create_application(
        world.shop.pipeline, actor=world.shop.actor("admin"), name="New", slug="new1"
    )
    text = world.browser("release-manager").get("/pipelines/shop/live/").content.decode()
    assert f'href="/apps/{application.slug}/"' in text and f'href="/apps/{application.slug}/live/"' not in text
