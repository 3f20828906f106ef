from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('phases', '0007_phase_needs_way_back'),
    ]

    operations = [
        migrations.AddField(
            model_name='lock',
            name='until',
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
